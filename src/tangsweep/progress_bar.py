"""Progress bars: of one run on the terminal, or relayed to the parent process that draws those of many."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn

from tangsweep import console

REDRAWS_PER_SECOND = 4


class ProgressBar(Protocol):
    """The progress of one run: steps done out of all steps, and a short status beside them."""

    def start(self, steps: float, done: int = 0) -> None: ...
    def step(self, done: int) -> None: ...
    def show_status(self, status: str) -> None: ...
    def close(self) -> None: ...


def progress_bar_for(name: str) -> ProgressBar:
    """Return a progress bar for the run `name`: relayed in a worker, else on this terminal."""
    return RelayedBar(name) if console.is_relayed() else TerminalBar(name)


def terminal_progress(*more: ProgressColumn) -> Progress:
    """Return rich's progress display: description, bar, per cent, the field `state`, and `more` columns.

    It is disabled where the output is not a terminal.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[state]}", markup=False),
        *more,
        console=console.console,
        refresh_per_second=REDRAWS_PER_SECOND,
        transient=True,
        disable=not console.console.is_terminal,
    )


@contextlib.contextmanager
def counting_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function `(done, total)` that updates a bar; the bar appears with the first call."""
    bar = terminal_progress()
    task = bar.add_task(name, total=1, state="")

    def show_count(done: int, total: int) -> None:
        if not bar.disable:
            bar.start()  # starting twice does no harm
            bar.update(task, completed=done, total=total)

    try:
        yield show_count
    finally:
        if not bar.disable:
            bar.stop()


class TerminalBar:
    """A bar on this process's terminal, redrawn a few times a second and not after every step."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar = terminal_progress(TimeRemainingColumn())
        self._task: TaskID | None = None

    def start(self, steps: float, done: int = 0) -> None:
        self._task = self._bar.add_task(self._name, total=steps, completed=done, state="")
        if not self._bar.disable:
            self._bar.start()

    def step(self, done: int) -> None:
        if self._task is not None and not self._bar.disable:
            self._bar.update(self._task, completed=done)

    def show_status(self, status: str) -> None:
        if self._task is not None:
            self._bar.update(self._task, state=status)

    def close(self) -> None:
        if not self._bar.disable:
            self._bar.stop()


class RelayedBar:
    """A bar that the parent process draws, from messages sent a few times a second."""

    def __init__(self, name: str) -> None:
        self._name, self._steps, self._status = name, 0.0, ""
        self._sent = 0.0  # time of the last message

    def start(self, steps: float, done: int = 0) -> None:
        self._steps = steps
        self._send(done)

    def step(self, done: int) -> None:
        if time.monotonic() - self._sent >= 1 / REDRAWS_PER_SECOND:
            self._send(done)

    def show_status(self, status: str) -> None:
        self._status = status

    def close(self) -> None:
        """Send nothing: the parent process knows when the job ends."""

    def _send(self, done: int) -> None:
        self._sent = time.monotonic()
        console.relay(console.ProgressMessage(self._name, done, self._steps, self._status))
