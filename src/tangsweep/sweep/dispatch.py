"""Gives an engine the jobs of a sweep, follows them in their runs' folders, and takes back what is left."""

import pickle
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from hydra.core.utils import JobReturn, JobStatus

from tangsweep.console import format_score
from tangsweep.metrics import METRICS
from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.sweep.engine import Engine, JobReport, RemoteJob, Stage
from tangsweep.sweep.hydra_adapter import failed_job
from tangsweep.sweep.pool import JobSource, PoolObserver
from tangsweep.sweep.worker import JobExited
from tangsweep.training.prepare import PreparedRun

LOOK_SECONDS = 1.0  # between two looks at the jobs
GRACE_SECONDS = 30.0  # after Ctrl-C, until jobs that still run are killed


class DispatchObserver(PoolObserver, Protocol):
    """Is notified of the jobs, and of how many wait for a machine."""

    def on_queue(self, waiting: int) -> None: ...


class Progress(NamedTuple):
    """How far a run is."""

    fraction: float  # of its steps
    status: str


class _Job:
    """A job that the engine has."""

    def __init__(self, number: int, run: PreparedRun | None) -> None:
        self.number, self.run = number, run
        self.report = self.before = JobReport(Stage.QUEUED)  # the last two of the engine's
        self.is_running = False
        self.holder = ""  # of its run's lock, where the engine cannot say whether it runs

    def runs_by(self, report: JobReport) -> bool:
        """Return whether the job runs. Where the engine cannot say, the lock of its run does."""
        if report.stage is not Stage.STARTED:
            return report.stage is Stage.RUNNING
        # A run lets go of its lock before its job ends.
        return self.is_running or (self.run is not None and lock.is_held(RunFolder(self.run.folder)))


class Dispatcher:
    """Runs jobs on an engine, at most `at_once` at a time; None: as many as there are.

    `setup` is what all jobs share, packed. With `fail_fast` the first job that fails ends the others.
    """

    def __init__(
        self,
        engine: Engine,
        setup: bytes,
        observer: DispatchObserver,
        at_once: int | None = None,
        fail_fast: bool = False,
    ) -> None:
        self._engine, self._setup, self._observer = engine, setup, observer
        self._at_once, self._fail_fast = at_once, fail_fast
        self._jobs: dict[str, _Job] = {}  # that have not ended, by the engine's names
        self._returns: dict[int, JobReturn] = {}
        self._count = 0

    def run(self, source: JobSource, runs: Sequence[PreparedRun]) -> list[JobReturn]:
        """Run every job of `source` and return the results in order.

        `runs` are the jobs' runs, where they are known. Raises SystemExit where a job raises it and with
        `fail_fast`. That and Ctrl-C interrupt the jobs that are left.
        """
        try:
            self._submit(source, runs)
            while self._jobs:
                self._engine.wait(list(self._jobs), LOOK_SECONDS)
                self._look(source)
                self._submit(source, runs)
        except BaseException:
            self._take_back()
            raise
        finally:
            self._engine.close()
        return [self._returns[number] for number in range(self._count)]

    def _submit(self, source: JobSource, runs: Sequence[PreparedRun]) -> None:
        """Give the engine the next jobs, all at once: on Slurm they are one array."""
        packed: list[RemoteJob] = []
        while self._at_once is None or len(self._jobs) + len(packed) < self._at_once:
            compose = source.next_job()
            if compose is None:
                break
            packed.append(RemoteJob(self._setup, pickle.dumps(compose())))
        if not packed:
            return
        for name in self._engine.submit(packed):
            run = runs[self._count] if self._count < len(runs) else None
            self._jobs[name] = _Job(self._count, run)
            self._count += 1
        self._show_queue()

    def _look(self, source: JobSource) -> None:
        for job, report in self._remove_ended():
            self._end(job, report, source)
        for job in self._jobs.values():
            self._follow(job)
        self._show_queue()

    def _remove_ended(self) -> list[tuple[_Job, JobReport]]:
        """Ask the engine, and return the jobs that have ended; it does not know these any more.

        All of them leave `_jobs` at once: the first may raise, and the others must not be asked for again.
        """
        reports = self._engine.look(list(self._jobs))
        ended = [(self._jobs.pop(n), report) for n, report in reports.items() if report.stage is Stage.ENDED]
        for name, job in self._jobs.items():
            job.before, job.report = job.report, reports[name]
        return ended

    def _follow(self, job: _Job) -> None:
        """Show how far a job is, and whether it has left its machine before its end."""
        report = job.report
        was_running, job.is_running = job.is_running, job.runs_by(report)
        if was_running and not job.is_running:
            where = f" on {job.before.node}" if job.before.node else ""
            self._observer.on_worker_death(job.number, f"its job{where} ended early", will_retry=True)
        elif job.is_running and not was_running:
            self._observer.on_job_start(job.number)
        if report.stage is Stage.STARTED:
            self._follow_holder(job)
        if job.is_running and job.run is not None:
            progress = read_progress(job.run)
            node = report.node or lock.holding_host(RunFolder(job.run.folder))
            status = "  ".join(filter(None, [progress.status, node]))
            self._observer.on_progress(job.number, job.run.name, progress.fraction, 1.0, status)

    def _follow_holder(self, job: _Job) -> None:
        """Tell where another process has taken a run over: the engine has started its job again."""
        if not job.is_running or job.run is None:
            return
        before, job.holder = job.holder, lock.describe_holder(RunFolder(job.run.folder))
        if before not in ("", job.holder):
            self._observer.on_worker_death(job.number, f"{before} was lost", will_retry=True)
            self._observer.on_job_start(job.number)

    def _end(self, job: _Job, report: JobReport, source: JobSource) -> None:
        returned = self._result(report)
        self._returns[job.number] = returned
        source.on_job_end(job.number, returned)
        self._observer.on_job_end(job.number, returned)
        if self._fail_fast and returned.status is JobStatus.FAILED:
            raise SystemExit(1)

    def _result(self, report: JobReport) -> JobReturn:
        """Print what a job has printed, and return its result. Raises SystemExit where the job did."""
        if report.returned is None:
            return failed_job(RuntimeError(report.problem))
        message, lines = report.returned
        for line in lines:
            self._observer.on_line(line.line, line.style)
        if isinstance(message, JobExited):
            raise SystemExit(message.code)
        returned: JobReturn = pickle.loads(message.pickled)
        return returned

    def _show_queue(self) -> None:
        self._observer.on_queue(sum(not job.is_running for job in self._jobs.values()))

    def _take_back(self) -> None:
        """Interrupt the jobs that are left and wait for them; after some time, or Ctrl-C, kill them."""
        if not self._jobs:
            return
        running = sum(job.is_running for job in self._jobs.values())
        self._observer.on_line(
            f"{self._engine.name} is asked to end {len(self._jobs)} jobs, {running} of them running", None
        )
        try:
            self._engine.interrupt(list(self._jobs))
            deadline = time.monotonic() + GRACE_SECONDS
            while self._jobs and time.monotonic() < deadline:
                self._engine.wait(list(self._jobs), LOOK_SECONDS)
                self._remove_ended()
        finally:
            if self._jobs:
                self._engine.kill(list(self._jobs))


def read_progress(run: PreparedRun) -> Progress:
    """Return how far a run is, from its metrics.csv: from its steps, or the epochs that have ended."""
    rows = MetricsFile(RunFolder(run.folder).metrics).rows()
    if not rows:
        return Progress(0.0, "starts")
    trainer = run.config.trainer
    step = rows[-1].get("step", 0)
    scored = next((row for row in reversed(rows) if "val/loss" in row), None)
    status, epochs = f"step {step:,}", 0.0
    if scored is not None:
        metric = METRICS[run.config.corpus.primary.metric].name
        scores = {key.removeprefix("val/"): scored[key] for key in scored if key.startswith("val/")}
        status = f"epoch {scored['epoch']}  dev {format_score(metric, scores)}  {status}"
        epochs = scored["epoch"] * step / scored["step"] if scored["step"] else 0.0
    fractions = [0.0]
    if trainer.max_steps is not None:
        fractions.append(step / trainer.max_steps)
    if trainer.max_epochs is not None:
        fractions.append(epochs / trainer.max_epochs)
    return Progress(min(max(fractions), 1.0), status)
