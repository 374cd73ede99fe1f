"""A search: settings are proposed, trained up to a rung, and then promoted or left paused."""

import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tangsweep.config.search_options import SearchOptions
from tangsweep.console import format_number
from tangsweep.metrics import perplexity_of
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Outcome
from tangsweep.runs.search_log import Line, Result, SearchLog, Step
from tangsweep.runs.state import State, run_state
from tangsweep.sweep.halving import Rung
from tangsweep.sweep.jobs import PreparedJob
from tangsweep.sweep.phase import StreamProgress
from tangsweep.sweep.search_runs import SearchRuns, rung_value, with_rung
from tangsweep.sweep.search_state import SearchState

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
RERUNS = ("unfinished", "paused")  # what a search can be asked to do


class _Running(NamedTuple):
    """A run that a launcher has."""

    step: Step
    job: PreparedJob
    since: float  # by time.monotonic


class Search:
    """A `JobStream` of the runs of a search; each decision is on disk before its run is launched.

    `lines` are the decisions of earlier commands. Their runs that have no result yet, or failed, come first.
    """

    def __init__(
        self, state: SearchState, runs: SearchRuns, log: SearchLog, lines: Sequence[Line], rerun: str
    ) -> None:
        self.state, self._runs, self._log, self._rerun = state, runs, log, rerun
        for line in lines:
            state.add_line(line)
        self._results: list[Result] = []  # that no line has yet
        self._running: dict[Path, _Running] = {}
        self._folders: dict[tuple[int, int], Path] = {}  # of a trial and a seed
        self._failed = deque(step for step, value in state.results.items() if value is None)
        self._resumed = deque(state.pending)
        self.trained = 0
        self.busy_seconds = 0.0  # of all runs that a launcher had, together
        self.outcomes: list[Outcome] = []

    def next_job(self) -> PreparedJob | None:
        """Decide, write the decision down, and return its run unless that has come so far already.

        Ctrl-C waits until it is made: inside OmegaConf it would become another error.
        """
        with interrupts_deferred():
            return self._decided_job()

    def _decided_job(self) -> PreparedJob | None:
        while True:
            step = self._next_step()
            if step is None:
                return None
            rung, job = self.state.rung(step), self.job_of(step)
            value = rung_value(job.run, rung)
            if value is None:
                self.trained += 1
                self._running[job.run.folder] = _Running(step, job, time.monotonic())
                return with_rung(job, rung)
            self._add_result(Result(*step, value))

    def _next_step(self) -> Step | None:
        if self._resumed:
            return self._resumed.popleft()
        while self._failed:
            step = self._failed.popleft()
            if run_state(RunFolder(self.job_of(step).run.folder)) is State.FAILED:
                return step
        while decision := self.state.next_step(self._rerun == "paused"):
            line = Line(*decision, tuple(self._results))
            self._log.append(line)
            self._results.clear()
            self.state.add_line(line)
            if decision[0] in self.state.pending:  # else its setting was tried before
                return decision[0]
        return None

    def job_of(self, step: Step) -> PreparedJob:
        """Return the job of the run that a step trains."""
        seed = self.state.rung(step).seed
        job = self._runs.job(self.state.settings[step.trial], seed)
        self._folders[step.trial, seed] = job.run.folder
        return job

    def folder_of(self, step: Step) -> Path:
        """Return the folder of the run that a step trains."""
        known_folder = self._folders.get((step.trial, self.state.rung(step).seed))
        return known_folder or self.job_of(step).run.folder

    @property
    def may_train(self) -> bool:
        """Whether there may be a run to train; False where all is done."""
        return bool(self._failed) or self._rerun == "paused" or not self.state.is_complete

    def on_job_end(self, job: PreparedJob, outcome: Outcome) -> None:
        """Read from the run's folder how it did; a run without a value has failed, or is left to others."""
        step, own, since = self._running.pop(job.run.folder)
        self.busy_seconds += time.monotonic() - since
        self.outcomes.append(outcome)
        self._add_result(Result(*step, rung_value(own.run, self.state.rung(step))))

    def _add_result(self, result: Result) -> None:
        self._results.append(result)
        self.state.add_results([result])

    def close(self) -> None:
        """Write down the results that came in after the last decision."""
        if self._results:
            self._log.append(Line(None, None, tuple(self._results)))
            self._results.clear()

    def progress(self) -> StreamProgress:
        """Return how many trials have come to their first rung, and the best one."""
        total = len(self.state.arms) * (self.state.options.trials or 0)
        waiting = sum(step.rung == 0 for step in self.state.pending)
        done = len(self.state.settings) - waiting
        state = f"{done} of {total} settings tried, {self.trained} runs, {len(self._running)} running"
        return StreamProgress(done, total, state, self.describe_best())

    def describe_best(self) -> str:
        """Describe the best trial of all arms in a line; an empty string where there is none."""
        best = [best for name in self.state.arms if (best := self.state.incumbent(name)) is not None]
        if not best:
            return ""
        trial, rung, value = min(best, key=lambda incumbent: incumbent.value)
        setting, reached = self.state.settings[trial], self.state.rung(Step(trial, rung))
        where = " ".join([setting.arm, *setting.overrides()])
        return f"best so far: {self._score(value)}, {where}, {describe_rung(reached)}"

    def _score(self, value: float) -> str:
        primary = self._runs.probes[0].config.corpus.primary.metric
        return (
            f"accuracy {1 - value:.4f}"
            if primary == "accuracy"
            else f"ppl {format_number(perplexity_of(value))}"
        )


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt at the end of the block, and not inside it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {n: signal.signal(n, lambda number, _: received.append(number)) for n in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if received:
        raise KeyboardInterrupt


def describe_rung(rung: Rung) -> str:
    """Format as `3 epochs` or `to the end, seed 1`."""
    epochs = "to the end" if rung.epochs is None else f"{rung.epochs} epoch{'s' * (rung.epochs > 1)}"
    return f"{epochs}, seed {rung.seed}"


def search_seeds(options: SearchOptions, seed: int) -> list[int]:
    """Return the seeds of a setting; `seed` is that of the run's config."""
    return list(dict.fromkeys(options.seeds)) or [seed]
