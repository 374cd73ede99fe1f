"""Prints lines, in a worker by way of the parent process, and formats numbers, times and outcomes."""

import contextlib
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from tangsweep.files import cannot_write, display_path
from tangsweep.printable import printable
from tangsweep.runs.record import Outcome

TABLE_WIDTH = 110  # characters, where the output is not a terminal
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

console = Console(
    highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else TABLE_WIDTH
)


class LineMessage(NamedTuple):
    """A line that the parent process prints for a worker."""

    line: str
    style: str | None  # of rich


class ProgressMessage(NamedTuple):
    """How far a worker's run is, for its bar in the parent process."""

    run: str
    done: int
    steps: float  # in all
    status: str


ConsoleMessage = LineMessage | ProgressMessage
_send_to_parent: Callable[[ConsoleMessage], None] | None = None  # set in a worker only


class LogFileHandler(logging.FileHandler):
    """Appends log lines to a file. Where they cannot be written, one line says so and the run goes on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")
        self.setFormatter(logging.Formatter(LOG_FORMAT))
        self._path, self._is_reported = path, False

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)  # a mistake in the call that logs: with its traceback
        elif not self._is_reported:
            self._is_reported = True
            reason = error.strerror or error
            print_line(f"{display_path(self._path)} cannot be written ({reason}): lines of the log are lost")

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it tries once more to write what is left
            super().close()


@contextlib.contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Write log lines and Python warnings to `path` and not to the terminal, inside the `with` block.

    Raises UserError where the file cannot be opened.
    """
    try:
        handler = LogFileHandler(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    loggers = [logging.getLogger(name) for name in (None, "pytorch_lightning", "lightning")]
    before = [(logger.handlers, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.level = [handler], logging.INFO
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for logger, (handlers, level) in zip(loggers, before, strict=True):
            logger.handlers, logger.level = handlers, level
        handler.close()


def print_line(line: str, style: str | None = None) -> None:
    """Print a line and let the terminal wrap it; in a worker, send it to the parent process instead.

    Control characters are shown, not obeyed.
    """
    if is_relayed():
        relay(LineMessage(line, style))
    else:
        console.print(printable(line), style=style, soft_wrap=True)


def print_prose(text: str, style: str | None = None) -> None:
    """Print sentences, which a terminal gets in lines that end with a word.

    Commands and paths are for print_line: what it prints can be copied as one line.
    """
    console.print(printable(text), style=style, soft_wrap=not console.is_terminal)


def relay_to_parent(send: Callable[[ConsoleMessage], None]) -> None:
    """From now on, send every line and every progress update to the parent process with `send`."""
    global _send_to_parent
    _send_to_parent = send


def is_relayed() -> bool:
    """Return whether the parent process prints for this one."""
    return _send_to_parent is not None


def relay(message: ConsoleMessage) -> None:
    """Send a message to the parent process. Call it only where `is_relayed()`."""
    assert _send_to_parent is not None
    _send_to_parent(message)


def warn_of_bundled_sample(reason: str) -> None:
    """Print a conspicuous warning that the bundled sample replaces 全唐诗."""
    line = "=" * 78
    print_line(
        f"{line}\nNOT 全唐诗: the network was not reached ({reason}).\n"
        "These runs use the bundled sample of 120 poems; every record and comparison says so.\n"
        "For 全唐诗: connect, or name a copy in corpus.root or TANGSWEEP_DATA.\n"
        f"{line}",
        style="bold red",
    )


def format_number(number: float) -> str:
    """Format as `12.3`, a whole number as `1,234`, and from a million on as `1.2e+06`."""
    if abs(number) >= 1e6:
        return f"{number:.1e}"
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.1f}"


def format_outcome(outcome: Outcome, folder: str) -> str:
    """Describe in one line how a run ended; `folder` is where its log lies."""
    record = outcome.record
    if outcome.holder:
        return f"{outcome.run_id}  left to {outcome.holder}, which trains it now"
    if outcome.status == "paused":
        after = f" after epoch {record.epochs}" if record else ""
        return f"{outcome.run_id}  paused{after}; rerun=paused takes it up again"
    if outcome.skipped:
        return f"{outcome.run_id}  {outcome.status} already; rerun=all trains it anew"
    if outcome.status == "failed" or record is None:
        error = record.error if record else None
        return f"{outcome.run_id}  FAILED  {error}  (traceback in {folder}/train.log)"
    status = outcome.status
    if status == "diverged":
        finite = record.last_finite_loss
        after = "" if finite is None else f", last finite loss {finite:.3f}"
        status = f"diverged at step {record.diverged_step}{after}"
    if record.dev is None:
        return f"{outcome.run_id}  {status}"
    end = ", given up as hopeless" if record.ended == "hopeless" else ""
    if record.solved_step is not None:
        end = f", solved at step {record.solved_step:,}"
    for name, lost in (record.lost_mirrors or {}).items():
        end += f", {name} lost at step {lost.step:,}" + (" and written anew" if lost.replayed else "")
    return (
        f"{outcome.run_id}  {status}  best dev {format_score(record.metric.name, record.dev.model_dump())} "
        f"at epoch {record.best_epoch} of {record.epochs}{end}, {record.seconds:.0f} s"
    )


def format_score(metric: str, scores: Mapping[str, float | None]) -> str:
    """Format a score with its short name: `ppl 380.4 (8.57 bits)`, `accuracy 0.9990`."""
    value = scores[metric]
    if metric == "perplexity":
        text = f"ppl {format_number(math.inf if value is None else value)}"
        bits = scores["bits_per_character"]
        return text if bits is None else f"{text} ({bits:.2f} bits)"
    return f"{metric} {value:.4f}"


def format_clock(seconds: float) -> str:
    """Format as `0:07`, `12:30` or `3:05:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_duration(seconds: float) -> str:
    """Format as `7 s`, `12 min` or `3.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def format_bytes(size: float) -> str:
    """Format a number of bytes as `0.4 MB` or `2.1 GB`; a MB is a million bytes."""
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
