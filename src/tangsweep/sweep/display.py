"""Shows the progress of a sweep: jobs done and running, the time left and the best score so far."""

import time
from collections.abc import Callable
from typing import Self

from hydra.core.utils import JobReturn
from rich.progress import TaskID

from tangsweep.console import format_clock, format_score, print_line
from tangsweep.progress_bar import TerminalProgress
from tangsweep.runs.record import Outcome, Record
from tangsweep.sweep.hydra_adapter import job_result
from tangsweep.sweep.phase import StreamProgress


class SweepDisplay:
    """A `PoolObserver` with a bar for the sweep and one for each running job, below the best score so far.

    Where the output is not a terminal, it prints lines only.
    """

    def __init__(self, names: list[str]) -> None:
        self._names, self._started = names, time.monotonic()
        self._fractions: dict[int, float] = {}  # running job → the fraction of its steps that is done
        self._unreported: set[int] = set()  # running jobs that have not reported their first step yet
        self._done_before = 0.0  # work of earlier commands on continued runs, in jobs
        self._ended, self._queued = 0, 0
        self._best: Record | None = None
        self._bars: dict[int, TaskID] = {}
        self._progress = TerminalProgress()
        self._sweep_bar = self._progress.add_task("sweep", total=len(names), state="")

    def __enter__(self) -> Self:
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._progress.disable:
            self._progress.stop()

    def on_job_start(self, job: int) -> None:
        self._fractions[job] = 0.0
        self._unreported.add(job)
        self._bars[job] = self._progress.add_task(f"  {self._names[job]}", total=1, state="starts")
        self._redraw()

    def on_line(self, line: str, style: str | None) -> None:
        print_line(line, style)

    def on_progress(self, job: int, name: str, done: float, steps: float, status: str) -> None:
        fraction = done / steps
        if job in self._unreported:
            self._unreported.remove(job)
            self._done_before += fraction  # above 0 for a run that is continued
        self._names[job], self._fractions[job] = name, fraction
        self._progress.update(self._bars[job], description=f"  {name}", completed=fraction, state=status)
        self._redraw()

    def on_queue(self, waiting: int) -> None:
        """Show how many jobs wait for a machine."""
        if waiting != self._queued:
            self._queued = waiting
            self._redraw()

    def on_worker_death(self, job: int, reason: str, will_retry: bool) -> None:
        consequence = "it goes on in another" if will_retry else "not tried again in this command"
        print_line(f"{self._names[job]}: {reason}; {consequence}", style="bold red")
        self._remove_bar(job)

    def on_job_end(self, job: int, returned: JobReturn) -> None:
        self._ended += 1
        self._remove_bar(job)
        outcome = job_result(returned)
        if isinstance(outcome, Outcome) and outcome.record is not None and outcome.record.dev is not None:
            self._best = _better_record(self._best, outcome.record)
        self._redraw()

    def _remove_bar(self, job: int) -> None:
        self._fractions.pop(job, None)
        if job in self._bars:
            self._progress.remove_task(self._bars.pop(job))

    def _queue_text(self) -> str:
        return f", {self._queued} queued" if self._queued else ""

    def _redraw(self) -> None:
        jobs, done = len(self._names), self._ended + sum(self._fractions.values())
        state = f"{self._ended} of {jobs} done, {len(self._fractions)} running" + self._queue_text()
        if done > self._done_before:
            spent = time.monotonic() - self._started
            state += f", {format_clock(spent * (jobs - done) / (done - self._done_before))} left"
        if self._best is not None and self._best.dev is not None:
            score = format_score(self._best.metric.name, self._best.dev.model_dump())
            self._progress.headline = f"best so far: dev {score}, {self._best.run_id}"
        self._progress.update(self._sweep_bar, completed=done, state=state)


class SearchDisplay(SweepDisplay):
    """A display of jobs that are not known beforehand: `add_name` comes before each job's start.

    `progress` says how far the search is.
    """

    def __init__(self, progress: Callable[[], StreamProgress]) -> None:
        super().__init__([])
        self._stream_progress = progress

    def add_name(self, name: str) -> None:
        """Name the job that starts next."""
        self._names.append(name)

    def _redraw(self) -> None:
        done, total, state, headline = self._stream_progress()
        self._progress.headline = headline
        state += self._queue_text()
        running = sum(self._fractions.values()) / max(len(self._fractions), 1)
        self._progress.update(self._sweep_bar, total=total, completed=min(done + running, total), state=state)


def _better_record(best: Record | None, other: Record) -> Record:
    """Return the record with the better development score; one without a score is never better."""
    if best is None or best.dev is None or other.dev is None:
        return other
    value, other_value = best.dev.value(best.metric.name), other.dev.value(best.metric.name)
    if value is None or other_value is None:
        return other if value is None and other_value is not None else best
    return other if best.metric.better(other_value, value) else best
