"""The one exception whose text is written for the user."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend; its text is one line: what was wrong, where, what to do.

    The entry points print it without a stack trace and exit with status 2.
    """


def first_line(error: BaseException) -> str:
    """What another library's error says, without what it goes on to explain."""
    return str(error).strip().partition("\n")[0].rstrip(".")


def describe_error(error: BaseException) -> str:
    """What a record says of an error: a user's own in its words; out of memory with what to lower."""
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
