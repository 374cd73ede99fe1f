"""The exception whose text is written for the user, and what messages say of errors and names."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend. Its text is one line: what was wrong, where, what to do.

    The entry points print it without a stack trace and exit with status 2.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error, without its full stop."""
    return str(error).strip().partition("\n")[0].rstrip(".")


def describe_error(error: BaseException) -> str:
    """Return what a record says of an error; where memory ran out, with the keys to lower."""
    if isinstance(error, UserError):
        return str(error)
    text = repr(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "DefaultCPUAllocator" in text:
        return (
            "out of memory: lower data.batch_size, data.max_chars or data.seq_len, model.hidden_size, "
            f"or the number of runs at once ({text.splitlines()[0][:200]})"
        )
    return text


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return "did you mean X? " for the nearest of `names`; an empty string where none is near."""
    nearest = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {nearest[0]}? " if nearest else ""
