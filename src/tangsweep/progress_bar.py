"""Progress bars: of one run on the terminal, or relayed to the parent process that draws those of many."""

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar as ProgressBarRenderable
from rich.table import Column
from rich.text import Text

from tangsweep import console
from tangsweep.printable import printable_line

REDRAWS_PER_SECOND = 4
BAR_WIDTHS = (10, 24)  # characters, the least and the most
BESIDE_THE_BAR = 70  # characters that names, per cents and states want; a wider terminal has longer bars
HASH_OF_RUN = re.compile("-[0-9a-f]{8}$")  # at the end of a run's name


class ProgressBar(Protocol):
    """The progress of one run: steps done out of all steps, and a short status beside them."""

    def start(self, steps: float, done: int = 0) -> None: ...
    def step(self, done: int) -> None: ...
    def show_status(self, status: str) -> None: ...
    def close(self) -> None: ...


def progress_bar_for(name: str) -> ProgressBar:
    """Return a progress bar for the run `name`: relayed in a worker, else on this terminal."""
    return RelayedBar(name) if console.is_relayed() else TerminalBar(name)


class OneLineName:
    """A run's name in one line: where room is short its hash goes first, and then its beginning.

    The runs of a sweep differ in the rest.
    """

    def __init__(self, name: str) -> None:
        self.name = printable_line(name)

    def fitted(self, width: int) -> str:
        """Return the name in at most `width` columns of the terminal."""
        indent = " " * (len(self.name) - len(self.name.lstrip()))
        name = self.name.strip()
        if cell_len(indent + name) > width:
            name = HASH_OF_RUN.sub("", name)
        if cell_len(indent + name) > width:
            while name and cell_len(indent + name) >= width:  # one column is for the ellipsis
                name = name[1:]
            name = f"…{name}"
        return indent + name

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.fitted(options.max_width), no_wrap=True, overflow="crop")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = min(cell_len(self.name), options.max_width)
        return Measurement(min(width, 1), width)


class NameColumn(ProgressColumn):
    """The description of a task, the only column that gives way where the terminal is narrow."""

    def render(self, task: Task) -> OneLineName:
        return OneLineName(task.description)


class ResizedBarColumn(BarColumn):
    """A bar whose width follows that of the terminal and leaves room for names and states."""

    def render(self, task: Task) -> ProgressBarRenderable:
        least, most = BAR_WIDTHS
        self.bar_width = min(max(console.console.width - BESIDE_THE_BAR, least), most)
        return super().render(task)


class TerminalProgress(Progress):
    """Rich's progress display: description, bar, per cent, the field `state`, and `more` columns.

    Every task has one line; at 80 columns there is room for bars, states and clocks. `headline` stands above
    the bars. It is disabled where the output is not a terminal.
    """

    def __init__(self, *more: ProgressColumn) -> None:
        self.headline = ""
        super().__init__(
            NameColumn(),
            ResizedBarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[state]}", markup=False),
            *more,
            console=console.console,
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=True,
            disable=not console.console.is_terminal,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.headline:
            yield Text(self.headline, no_wrap=True, overflow="ellipsis")
        yield from super().get_renderables()


@contextlib.contextmanager
def counting_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function `(done, total)` that updates a bar; the bar appears with the first call."""
    bar = TerminalProgress()
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
        self._bar = TerminalProgress(TimeRemainingColumn(table_column=Column(no_wrap=True)))
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
