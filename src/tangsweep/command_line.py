"""Runs an entry point and prints a user's mistake as one line on stderr, without a stack trace."""

import contextlib
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from tangsweep.errors import UserError, did_you_mean

USER_ERROR, INTERRUPTED, TERMINATED = 2, 130, 143  # exit statuses


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Raise UserError, one line, in the place of the errors with which Hydra answers a user's mistake."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(error_line(error)) from error
    except ValueError as error:
        if "Config group override" not in str(error):
            raise
        raise UserError(
            "a group takes the name of a file: optimizer=adam takes conf/optimizer/adam.yaml"
        ) from error


def run_command(main: Callable[[], object]) -> None:
    """Run `main`; exit with status 2 after a user's mistake, 130 after Ctrl-C and 143 after SIGTERM.

    With HYDRA_FULL_ERROR=1 in the environment, errors are raised with their stack trace.
    """
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    terminated = []

    def terminate(number: int, frame: FrameType | None) -> None:
        terminated.append(number)
        raise KeyboardInterrupt  # handled as Ctrl-C: runs are marked as interrupted, the ranking is printed

    signal.signal(signal.SIGTERM, terminate)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing
    try:
        with user_errors():
            main()
    except UserError as error:
        if full_error:
            raise
        sys.exit(print_error(str(error)))
    except OSError as error:  # a folder that cannot be made, a full disk
        if full_error:
            raise
        sys.exit(print_error(f"{error.filename or 'a file'}: {error.strerror or error}"))
    except KeyboardInterrupt:
        print(f"interrupted; this continues: {continuing_command(sys.argv)}", file=sys.stderr)
        sys.exit(TERMINATED if terminated else INTERRUPTED)


def continuing_command(arguments: Sequence[str]) -> str:
    """Return the shell command that continues an interrupted command, whose `sys.argv` is `arguments`.

    It omits `rerun=all` and `rerun=diverged`: the interrupted command has already set aside the runs that are
    trained anew, and the next one shall continue them.
    """
    program = ["python", arguments[0]] if arguments[0].endswith(".py") else arguments[0].split()
    return shlex.join([*program, *(a for a in arguments[1:] if a not in ("rerun=all", "rerun=diverged"))])


def print_error(line: str) -> int:
    """Print an error on stderr and return the exit status of a user's mistake."""
    print(f"error: {line}", file=sys.stderr)
    return USER_ERROR


def error_line(error: BaseException) -> str:
    """Describe an error in one line; for a name that does not exist, list the nearest and all that exist."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        options = sorted(error.options)
        hint = did_you_mean(option, options)
        return f"{group}={option} does not exist; {hint}there are: {', '.join(options)}"
    if isinstance(error, OverrideParseException) and not error.override.isascii():
        key, _, value = error.override.partition("=")
        return f"cannot read {error.override}: Hydra wants such text in quotes, \"{key}='{value}'\""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OmegaConfBaseException) and cause.parent_node is not None:
            return _unknown_key_line(error, cause)
        cause = cause.__cause__
    return _join_lines(error)


def _join_lines(error: BaseException) -> str:
    return re.sub(r"\s*\n\s*", "; ", str(error).strip())


def _unknown_key_line(error: BaseException, cause: OmegaConfBaseException) -> str:
    parent = cause.parent_node
    if not hasattr(parent, "keys") or "is not in struct" not in str(cause):
        return _join_lines(error)
    names = [str(key) for key in parent if key != "hydra"]
    group, _, key = str(cause.full_key).rpartition(".")
    where = f"{group} has" if group else "there are"
    return f"{cause.full_key} does not exist; {did_you_mean(key, names)}{where}: {', '.join(names)}"
