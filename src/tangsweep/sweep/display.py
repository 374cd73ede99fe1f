"""One picture of a sweep at work: done, running, left, the best so far, and the time that is left."""

import time

from hydra.core.utils import JobReturn
from rich.progress import TaskID

from tangsweep import progress_bar
from tangsweep.console import format_clock, format_score, print_line
from tangsweep.runs.record import Outcome, Record


class Display:
    """A bar for the sweep and one for each job that runs; lines as they end where there is no terminal."""

    def __init__(self, names: list[str]) -> None:
        self._names, self._started = names, time.monotonic()
        self._shares: dict[int, float] = {}  # of the jobs that run: how much is done
        self._unheard: set[int] = set()  # of those: which did not say yet where they start
        self._before = 0.0  # of that, what earlier commands did
        self._ended = 0
        self._best: Record | None = None
        self._bars: dict[int, TaskID] = {}
        self._progress = progress_bar.terminal_progress()
        self._whole = self._progress.add_task("sweep", total=len(names), state="")

    def __enter__(self) -> "Display":
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if not self._progress.disable:
            self._progress.stop()

    def began(self, job: int) -> None:
        self._shares[job] = 0.0
        self._unheard.add(job)
        self._bars[job] = self._progress.add_task(f"  {self._names[job]}", total=1, state="starts")
        self._redraw()

    def said(self, line: str, style: str | None) -> None:
        print_line(line, style)

    def progressed(self, job: int, name: str, done: int, steps: float, words: str) -> None:
        if job in self._unheard:
            self._unheard.remove(job)
            self._before += done / steps  # a run that goes on
        self._names[job], self._shares[job] = name, done / steps
        self._progress.update(
            self._bars[job], description=f"  {name}", completed=self._shares[job], state=words
        )
        self._redraw()

    def died(self, job: int, why: str, again: bool) -> None:
        print_line(
            f"{self._names[job]}: {why}; "
            + ("it goes on in another" if again else "not tried again in this command"),
            style="bold red",
        )
        self._leave(job)

    def ended(self, job: int, returned: JobReturn) -> None:
        self._ended += 1
        self._leave(job)
        outcome = returned._return_value
        if isinstance(outcome, Outcome) and outcome.record is not None and outcome.record.dev is not None:
            self._best = _better_record(self._best, outcome.record)
        self._redraw()

    def _leave(self, job: int) -> None:
        self._shares.pop(job, None)
        if job in self._bars:
            self._progress.remove_task(self._bars.pop(job))

    def _redraw(self) -> None:
        done = self._ended + sum(self._shares.values())
        left = len(self._names) - self._ended - len(self._shares)
        state = f"{self._ended} done, {len(self._shares)} running, {left} left"
        if self._best is not None and self._best.dev is not None:
            score = format_score(self._best.metric.name, self._best.dev.model_dump())
            state += f"  best dev {score} {self._best.run_id}"
        if done > self._before:
            spent = time.monotonic() - self._started
            state += f"  {format_clock(spent * (len(self._names) - done) / (done - self._before))} left"
        self._progress.update(self._whole, completed=done, state=state)


def _better_record(best: Record | None, other: Record) -> Record:
    """Return the record with the better development score; one without a score is never better."""
    if best is None or best.dev is None or other.dev is None:
        return other
    value, other_value = best.dev.value(best.metric.name), other.dev.value(best.metric.name)
    if value is None or other_value is None:
        return other if value is None and other_value is not None else best
    return other if best.metric.better(other_value, value) else best
