"""The one error that a user can cause and put right."""


class UserError(Exception):
    """One sentence: what is wrong and what to do; shown without a traceback, exit code 2."""
