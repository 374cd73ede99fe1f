"""Runs of a sweep that are trained together: prepared, announced, trained by a launcher, or scored."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import NamedTuple, Protocol

from hydra.core.utils import JobReturn

from tangsweep.config.run_config import AnyConfig
from tangsweep.console import print_line
from tangsweep.files import display_path
from tangsweep.runs import provenance
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Outcome
from tangsweep.runs.record_file import read_record
from tangsweep.sweep import run_status
from tangsweep.sweep.jobs import Job, PreparedJob
from tangsweep.sweep.run_status import RunStatus
from tangsweep.tasks.registry import parse_config, task_of
from tangsweep.tasks.task import AnyTask, Corpus
from tangsweep.training.job import score_finished_run
from tangsweep.training.prepare import (
    PreparedRun,
    check_resources,
    lacks_scores,
    prepare,
)


class Launcher(Protocol):
    """Trains the jobs of a sweep: in worker processes, in this process, on Ray or on Slurm."""

    @property
    def trains_here(self) -> bool: ...  # on this machine, whose memory and GPUs are then checked

    def warm_up(self) -> None: ...  # begin what takes time before the first run can start
    def concurrency(self, configs: Sequence[AnyConfig]) -> int: ...  # how many such runs at once
    def check(self, configs: Sequence[AnyConfig]) -> None: ...  # what needs torch; raises UserError
    def prepare_workers(self, configs: Sequence[AnyConfig]) -> None: ...  # all configs of the sweep
    def launch(self, jobs: Sequence[PreparedJob]) -> Sequence[Outcome]: ...


class StreamProgress(NamedTuple):
    """How far a stream of jobs is, for the terminal."""

    done: int
    total: int
    state: str  # "7 of 24 tried"
    headline: str


class JobStream(Protocol):
    """Jobs of which each may depend on how earlier ones ended."""

    def next_job(self) -> PreparedJob | None:
        """Return the next job; None: there is none before one that runs has ended."""

    def on_job_end(self, job: PreparedJob, outcome: Outcome) -> None: ...
    def progress(self) -> StreamProgress: ...


class NumberedStream(Protocol):
    """A stream whose jobs are known by their number, from 0, and end with what Hydra returns of a job."""

    def next_job(self) -> PreparedJob | None: ...
    def on_job_end(self, job: int, returned: JobReturn) -> None: ...
    def progress(self) -> StreamProgress: ...


class StreamLauncher(Launcher, Protocol):
    """A launcher that also trains jobs which are not known beforehand."""

    def launch_stream(self, stream: JobStream, at_once: int) -> None: ...  # `at_once`: where it cannot say


class Phase:
    """Runs that are trained together, and how they ended."""

    def __init__(self, jobs: list[Job], runs: list[PreparedRun]) -> None:
        self.jobs, self.runs = jobs, runs
        self.outcomes: list[Outcome] = []
        self.changed = False  # whether a run was trained or scored

    def train(self, launcher: Launcher, compared: bool) -> None:
        """Train the runs that are not done, and score those that are where their records lack it."""
        statuses = run_status.look_up_runs([run.folder for run in self.runs], self.runs[0].config.rerun)
        to_train = [run for run in self.runs if statuses[run.folder].trained]
        if to_train:
            if compared:
                _import_report_meanwhile()
            prepare_training(to_train, launcher)
        _announce(statuses, compared)
        run_status.set_aside(statuses, self.runs[0].config.unlock)
        self.changed = _score_finished([run for run in self.runs if not statuses[run.folder].trained])
        prepared = [
            PreparedJob(pinned_overrides(job, run), run)
            for job, run in zip(self.jobs, self.runs, strict=True)
            if statuses[run.folder].trained
        ]
        self.changed = self.changed or bool(prepared)
        self.outcomes = list(launcher.launch(prepared)) if prepared else []


def checked_configs(jobs: Sequence[Job], trains_here: bool) -> list[AnyConfig]:
    """Return the jobs' configs. Raises UserError where one is wrong, or does not fit this machine."""
    configs = [parse_config(job.values) for job in jobs]
    for config in configs:
        check_resources(config, trains_here)
    aligned: dict[int, AnyConfig] = {}
    for task, numbers in _by_task(configs).items():
        aligned |= zip(numbers, task.align([configs[n] for n in numbers]), strict=True)
    return [aligned[number] for number in range(len(configs))]


def _by_task(configs: Sequence[AnyConfig]) -> dict[AnyTask, list[int]]:
    """Return the numbers of each task's configs."""
    numbers: dict[AnyTask, list[int]] = {}
    for number, config in enumerate(configs):
        numbers.setdefault(task_of(config.plain), []).append(number)
    return numbers


def prepare_runs(jobs: Sequence[Job], configs: Sequence[AnyConfig]) -> list[PreparedRun]:
    """Prepare each run; a corpus that several runs read is read once, by their task."""
    corpora: dict[int, Corpus] = {}
    for task, numbers in _by_task(configs).items():
        corpora |= zip(numbers, task.find_corpora([configs[n] for n in numbers]), strict=True)
    return [prepare(config, jobs[number].overrides, corpora[number]) for number, config in enumerate(configs)]


def prepare_training(runs: Sequence[PreparedRun], launcher: Launcher) -> None:
    """Do once what all runs need: heavy checks, downloads beside the corpora, workers."""
    configs = [run.config for run in runs]
    launcher.check(configs)
    for task in dict.fromkeys(run.task for run in runs):
        own = [run for run in runs if run.task is task]
        task.download_extras([run.config for run in own], [run.corpus for run in own])
    launcher.prepare_workers(configs)


def _import_report_meanwhile() -> None:
    """Import what the report needs, 1.5 s, while workers import what runs need: this process only waits."""

    def load() -> None:
        from tangsweep.reporting import build  # noqa: F401
        from tangsweep.reporting.render import vega

        vega.warm_up()

    Thread(target=load, daemon=True).start()


def _announce(statuses: Mapping[Path, RunStatus], compared: bool) -> None:
    """Say what the command will do, on the terminal and in the sweep's list of commands."""
    sweep = next(iter(statuses)).parent
    if compared:
        print_line(f"{run_status.describe_statuses(statuses)} into {display_path(sweep)}")
        run_status.warn_of_other_commits(statuses)
    provenance.log_command(sweep, len(statuses), sum(status.trained for status in statuses.values()))


def _score_finished(runs: Sequence[PreparedRun]) -> bool:
    """Score runs that ended before on the sets that their records lack; return whether any was."""
    lacking = [run for run in runs if lacks_scores(run, read_record(RunFolder(run.folder)))]
    if not lacking:
        return False
    scored = sum(score_finished_run(run) for run in lacking)
    print_line(f"{scored} finished runs were scored on their test set; nothing was trained for it")
    return scored > 0


def pinned_overrides(job: Job, run: PreparedRun) -> list[str]:
    """Return the job's overrides with what was decided for all: whether the sample stands in, where the test
    set lies.
    """
    pinned = ["sweep.stands_in=true"] if run.corpus.fallback else []
    if (after := run.config.plain["data"].get("test_after")) is not None:
        pinned.append(f"data.test_after={after}")
    return [*job.overrides, *pinned]
