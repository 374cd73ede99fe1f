"""The one exception whose text is written for the user."""


class UserError(Exception):
    """Something the user can mend; its text is one line: what was wrong, where, what to do.

    The entry points print it without a stack trace and exit with status 2.
    """
