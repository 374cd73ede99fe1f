"""Runs an entry point and prints a user's mistake as one line on stderr, without a stack trace."""

import argparse
import contextlib
import gc
import os
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import NoReturn

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from tangsweep.errors import UserError, did_you_mean, first_line, unknown_key
from tangsweep.printable import printable_line
from tangsweep.temporary_folder import use_own_temporary_folder

USER_ERROR, INTERRUPTED, TERMINATED = 2, 130, 143  # exit statuses
ARGPARSE_MESSAGES = (  # and what is said in their place
    (r"argument (\S+): invalid int value: '(.*)'", r"\1 \2 is invalid: it must be a whole number"),
    (r"argument (\S+): invalid float value: '(.*)'", r"\1 \2 is invalid: it must be a number"),
    (r"argument (\S+): not allowed with argument (\S+)", r"\1 and \2 exclude each other: leave one out"),
    (r"argument (\S+): expected one argument", r"\1 is followed by nothing: name a value"),
    (r"the following arguments are required: (.+)", r"\1 is missing: --help shows what the command takes"),
)


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Raise UserError, one line, in the place of what Hydra raises for an override or a config file.

    Errors that were raised elsewhere, in this project's own code, pass.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise UserError(error_line(error)) from error
    except (ValueError, OSError) as error:
        if not _is_about_config(error):
            raise
        raise UserError(error_line(error)) from error


def _is_about_config(error: BaseException) -> bool:
    """Return whether Hydra or OmegaConf raised an error, or met it in reading a config file."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    library = str(frames[-1].f_globals.get("__name__")).partition(".")[0] if frames else ""
    return library in ("hydra", "omegaconf") or _config_file(error) is not None


def _config_file(error: BaseException) -> str | None:
    """Return the config file that Hydra was reading; None where it was reading none.

    Hydra's errors do not name it, but the function that reads has it in a variable.
    """
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    paths = (frame.f_locals.get("full_path") for frame in frames if frame.f_code.co_name == "load_config")
    return next((path for path in paths if isinstance(path, str)), None)


class ArgumentParser(argparse.ArgumentParser):
    """argparse's parser, which raises UserError, one line, in the place of printing its usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise UserError(describe_wrong_argument(message, option_names(self)))


def option_names(parser: argparse.ArgumentParser) -> list[str]:
    """Return the long options of a command."""
    return re.findall(r"--[\w-]+", parser.format_usage())


def describe_wrong_argument(message: str, options: Sequence[str]) -> str:
    """Describe in one line what argparse complains of; `options` are those that the command takes."""
    if choice := re.fullmatch(r"argument (\S+): invalid choice: (.+) \(choose from (.+)\)", message):
        option, value = max(choice[1].split("/"), key=len), choice[2].strip("'\"")
        names = [name.strip("'\" ") for name in choice[3].split(",")]
        return f"{option} {value} is invalid; {did_you_mean(value, names)}there are: {', '.join(names)}"
    if unknown := re.fullmatch(r"unrecognized arguments: (\S+).*", message):
        name = unknown[1].partition("=")[0]
        if not name.startswith("-"):
            return f"{name} is one argument too many: text with spaces stands in quotes"
        return f"{name} does not exist; {did_you_mean(name, options)}--help lists the options"
    for pattern, line in ARGPARSE_MESSAGES:
        if re.fullmatch(pattern, message):
            return re.sub(pattern, line, message)
    return message


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
    use_own_temporary_folder()
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
        sys.exit(print_error(os_error_line(error)))
    except KeyboardInterrupt:
        print(f"interrupted; this continues: {continuing_command(sys.argv)}", file=sys.stderr)
        sys.exit(TERMINATED if terminated else INTERRUPTED)
    finally:
        gc.freeze()  # nothing is left to collect: Python would look through all objects, 0.3 s, when it ends


def continuing_command(arguments: Sequence[str]) -> str:
    """Return the shell command that continues an interrupted command, whose `sys.argv` is `arguments`.

    It omits `rerun=all` and `rerun=diverged`: the interrupted command has already set aside the runs that are
    trained anew, and the next one shall continue them.
    """
    program = ["python", arguments[0]] if arguments[0].endswith(".py") else arguments[0].split()
    return shlex.join([*program, *(a for a in arguments[1:] if a not in ("rerun=all", "rerun=diverged"))])


def print_error(line: str) -> int:
    """Print an error on stderr and return the exit status of a user's mistake."""
    print(f"error: {printable_line(line)}", file=sys.stderr)
    return USER_ERROR


def error_line(error: BaseException) -> str:
    """Describe an error in one line; for a name that does not exist, with the nearest that does."""
    if isinstance(error, MissingConfigException):
        return _missing_file_line(error)
    if isinstance(error, OverrideParseException):
        return _unreadable_override_line(error)
    if "Config group override" in str(error):
        return "a group takes the name of a file: optimizer=adam takes conf/optimizer/adam.yaml"
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return _config_file_line(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return str(cause)
        if isinstance(cause, OmegaConfBaseException) and cause.parent_node is not None:
            return _invalid_key_line(error, cause)
        cause = cause.__cause__
    return _join_lines(error)


def os_error_line(error: OSError) -> str:
    """Describe an error of the file system: a folder that cannot be made, a full disk, a closed pipe."""
    if isinstance(error, BrokenPipeError):
        return "nobody reads the output any more: the same command continues what it had begun"
    return (
        f"cannot use {error.filename or 'a file'} ({error.strerror or error}): name another path, mend its "
        "permissions or free some space; TANGSWEEP_HOME names the folder of outputs/ and data/"
    )


def _join_lines(error: BaseException) -> str:
    text = str(error).replace(", set env var HYDRA_FULL_ERROR=1 to see chained exception", "")
    lines = (line.strip().rstrip(".:") for line in text.splitlines())
    return "; ".join(line for line in lines if line not in ("", "full_key", "object_type=dict"))


def _missing_file_line(error: MissingConfigException) -> str:
    if error.options is None:
        return first_line(error)
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    options = sorted(error.options)
    return f"{group}={option} does not exist; {did_you_mean(option, options)}there are: {', '.join(options)}"


def _unreadable_override_line(error: OverrideParseException) -> str:
    key, equals, value = error.override.partition("=")
    if not equals:
        return f"cannot read {error.override!r}: write key=value, such as optimizer=adam"
    if not error.override.isascii():
        return f"cannot read {error.override}: Hydra wants such text in quotes, \"{key}='{value}'\""
    return (
        f"cannot read {error.override}: every bracket and quote must be closed, values stand between commas, "
        "and text with other signs in quotes"
    )


def _config_file_line(error: BaseException) -> str:
    """Describe what is wrong with the text of a config file."""
    path = _config_file(error)
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        where = f"{error.problem_mark.name}, line {error.problem_mark.line + 1},"
        return f"{where} is not valid YAML: {error.problem}"
    if isinstance(error, YAMLError):
        return f"{path} is not valid YAML: {first_line(error)}"
    if isinstance(error, UnicodeDecodeError):
        return f"{path} is not UTF-8 (at byte {error.start}): convert it, with iconv for example"
    return f"{path}: {_join_lines(error)}" if path else _join_lines(error)


def _invalid_key_line(error: BaseException, cause: OmegaConfBaseException) -> str:
    """Describe a key that does not exist, or a value that does not fit."""
    parent, key = cause.parent_node, str(cause.full_key)
    if not isinstance(parent, DictConfig) or not isinstance(cause, ConfigAttributeError | ConfigKeyError):
        what = f"{key} is invalid" if cause is error else _join_lines(error)
        return f"{what}: {first_line(cause)}"
    plain = OmegaConf.to_container(parent, resolve=False)
    assert isinstance(plain, dict)
    groups = {str(name): values for name, values in plain.items() if name != "hydra"}
    for group, values in groups.items():
        if isinstance(values, dict) and key in values:  # the name of a key without that of its group
            return f"{key} does not exist; did you mean {group}.{key}?"
    return unknown_key(key, groups)
