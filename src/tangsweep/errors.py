"""The exception for mistakes of the user, and helpers that word error messages."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can correct. Its text is one line: what was wrong, where, what to do.

    The entry points print it without a stack trace and exit with status 2.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of an error of another library, without its full stop."""
    return str(error).strip().partition("\n")[0].rstrip(".")


def describe_error(error: BaseException) -> str:
    """Describe an error for a run's record; where memory ran out, with the config keys to lower."""
    if isinstance(error, UserError):
        return str(error)
    text = repr(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "DefaultCPUAllocator" in text:
        return (
            "out of memory: lower data.batch_size, data.max_chars or data.seq_len, model.hidden_size, "
            f"or the number of runs at once ({text.splitlines()[0][:200]})"
        )
    return text


def did_you_mean(name: str, names: Iterable[str], prefix: str = "") -> str:
    """Return "did you mean X? " for the closest of `names`, which stands behind `prefix`.

    Returns an empty string where none is close.
    """
    nearest = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {prefix}{nearest[0]}? " if nearest else ""


def unknown_key(key: str, names: Iterable[str]) -> str:
    """Say that a config key does not exist, with the nearest of its group's `names`, or else all of them."""
    group, _, name = key.rpartition(".")
    names = list(names)
    if hint := did_you_mean(name, names, f"{group}." if group else ""):
        return f"{key} does not exist; {hint.strip()}"
    return f"{key} does not exist; {f'{group} has' if group else 'there are'}: {', '.join(names)}"
