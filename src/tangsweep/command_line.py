"""Runs an entry point, and shows a user's mistake as one line on stderr without a stack trace."""

import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from tangsweep.errors import UserError, did_you_mean

MISTAKE, INTERRUPTED, TERMINATED = 2, 130, 143  # exit statuses


def run_command(main: Callable[[], object]) -> None:
    """Run `main` and exit: 2 after a user's mistake, 130 after Ctrl-C, 143 after SIGTERM.

    HYDRA_FULL_ERROR=1, set by the user, keeps Hydra's own long report.
    """
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    terminated = []

    def terminate(number: int, frame: FrameType | None) -> None:
        terminated.append(number)
        raise KeyboardInterrupt  # from here on as Ctrl-C: the run is marked, the ranking printed

    signal.signal(signal.SIGTERM, terminate)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing
    try:
        main()
    except (HydraException, OmegaConfBaseException, UserError) as error:
        if full:
            raise
        sys.exit(print_error(error_line(error)))
    except ValueError as error:
        if full or "Config group override" not in str(error):
            raise
        sys.exit(
            print_error("a group takes the name of a file: optimizer=adam takes conf/optimizer/adam.yaml")
        )
    except OSError as error:  # a folder that cannot be made, a full disk
        if full:
            raise
        sys.exit(print_error(f"{error.filename or 'a file'}: {error.strerror or error}"))
    except KeyboardInterrupt:
        print(f"interrupted; this continues: {continuing_command(sys.argv)}", file=sys.stderr)
        sys.exit(TERMINATED if terminated else INTERRUPTED)


def continuing_command(arguments: Sequence[str]) -> str:
    """Return the shell command that continues.

    It names no `rerun=all`: the first command has set aside what is to be trained anew.
    """
    return shlex.join(["python", *(a for a in arguments if a not in ("rerun=all", "rerun=diverged"))])


def print_error(line: str) -> int:
    """Print the error and return the exit status of a user's mistake."""
    print(f"error: {line}", file=sys.stderr)
    return MISTAKE


def error_line(error: BaseException) -> str:
    """Return the error in one line; for a name that does not exist, with the nearest and all that do."""
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
    return re.sub(r"\s*\n\s*", "; ", str(error).strip())


def _unknown_key_line(error: BaseException, cause: OmegaConfBaseException) -> str:
    parent = cause.parent_node
    if not hasattr(parent, "keys") or "is not in struct" not in str(cause):
        return re.sub(r"\s*\n\s*", "; ", str(error).strip())
    names = [str(key) for key in parent if key != "hydra"]
    group, _, key = str(cause.full_key).rpartition(".")
    where = f"{group} has" if group else "there are"
    return f"{cause.full_key} does not exist; {did_you_mean(key, names)}{where}: {', '.join(names)}"
