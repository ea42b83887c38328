"""Errors that a user can cause and put right."""

from mien.console import printable


class UserError(Exception):
    """One sentence: what is wrong and what to do. Shown without a traceback; exit code 2.

    Characters that are not printable (of a file name, an address, a damaged file) are escaped, so
    that a message is one line and sends nothing to a terminal but text.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
