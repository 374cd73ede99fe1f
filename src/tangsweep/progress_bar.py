"""A run's progress bar: drawn on the terminal, or told to the process that draws for many runs."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn

from tangsweep import console

REDRAWS_PER_SECOND = 4


class Bar(Protocol):
    """Steps done of all steps, with a few words on where the run stands."""

    def start(self, steps: float, done: int = 0) -> None: ...
    def step(self, done: int) -> None: ...
    def state(self, words: str) -> None: ...
    def close(self) -> None: ...


def progress_bar_for(name: str) -> Bar:
    """The bar of the run `name`, wherever this process shows things."""
    return RelayedBar(name) if console.is_relayed() else TerminalBar(name)


def terminal_progress(*more: ProgressColumn) -> Progress:
    """rich's bars on the terminal: description, bar, per cent, `state`, and `more` columns.

    Nothing is drawn where the output is no terminal.
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
    """A bar from the first count on: what is yielded takes how many are done, and of how many."""
    bar = terminal_progress()
    task = bar.add_task(name, total=1, state="")

    def tell(done: int, all: int) -> None:
        if not bar.disable:
            bar.start()  # again and again does no harm
            bar.update(task, completed=done, total=all)

    try:
        yield tell
    finally:
        if not bar.disable:
            bar.stop()


class TerminalBar:
    """Redrawn by time, never by step; nothing where the output is no terminal."""

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

    def state(self, words: str) -> None:
        if self._task is not None:
            self._bar.update(self._task, state=words)

    def close(self) -> None:
        if not self._bar.disable:
            self._bar.stop()


class RelayedBar:
    """Tells `progress` with the run's name, steps done, all steps and words, a few times a second."""

    def __init__(self, name: str) -> None:
        self._name, self._steps, self._words = name, 0.0, ""
        self._told = 0.0

    def start(self, steps: float, done: int = 0) -> None:
        self._steps = steps
        self._tell(done)

    def step(self, done: int) -> None:
        if time.monotonic() - self._told >= 1 / REDRAWS_PER_SECOND:
            self._tell(done)

    def state(self, words: str) -> None:
        self._words = words

    def close(self) -> None:
        """Nothing is left to tell: the job's end is seen without it."""

    def _tell(self, done: int) -> None:
        self._told = time.monotonic()
        console.relay("progress", self._name, done, self._steps, self._words)
