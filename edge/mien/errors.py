"""Errors that a user can cause and put right."""


class UserError(Exception):
    """One sentence: what is wrong and what to do. Shown without a traceback; exit code 2.

    Characters that are not printable (of a file name, an address, a damaged file) are escaped, so
    that a message is one line and sends nothing to a terminal but text.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Return the text with characters that are not printable as escapes, as in \\x1b."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
