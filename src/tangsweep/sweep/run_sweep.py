"""Runs a sweep, from the composed jobs to the report; a single run is a sweep of one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from tangsweep.config.run_config import AnyConfig
from tangsweep.console import print_line
from tangsweep.errors import UserError
from tangsweep.files import display_path, outputs_folder
from tangsweep.runs import lock, provenance
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Outcome
from tangsweep.runs.record_file import read_record
from tangsweep.sweep import plan, run_status
from tangsweep.sweep.jobs import Job, PreparedJob
from tangsweep.sweep.run_status import RunStatus
from tangsweep.tasks.registry import parse_config, task_of
from tangsweep.tasks.task import AnyTask, Corpus
from tangsweep.training.job import print_outcome, score_finished_run, train_prepared
from tangsweep.training.prepare import (
    PreparedRun,
    check_before_training,
    check_resources,
    lacks_scores,
    prepare,
    print_corpora,
)


class Launcher(Protocol):
    """Trains the jobs of a sweep: in worker processes, in this process, on Ray or on Slurm."""

    def warm_up(self) -> None: ...  # begin what takes time before the first run can start
    def concurrency(self, configs: Sequence[AnyConfig]) -> int: ...  # how many such runs at once
    def prepare_workers(self, configs: Sequence[AnyConfig]) -> None: ...  # all configs of the sweep
    def launch(self, jobs: Sequence[PreparedJob]) -> Sequence[Outcome]: ...


class ThisProcess:
    """The launcher of a single run: it is trained where it was prepared."""

    def warm_up(self) -> None: ...

    def concurrency(self, configs: Sequence[AnyConfig]) -> int:
        return 1

    def prepare_workers(self, configs: Sequence[AnyConfig]) -> None: ...

    def launch(self, jobs: Sequence[PreparedJob]) -> list[Outcome]:
        return [train_prepared(job.run) for job in jobs]


class SweepResult(NamedTuple):
    """The runs of a command."""

    folders: list[Path]  # outputs/SWEEP/RUN of every run, in the order of the jobs
    outcomes: list[Outcome]  # of those that were trained; of all where they were planned


class RunsFailed(SystemExit):
    """Ends the command with status 1: some of its runs failed or died. The others are complete."""

    def __init__(self, result: SweepResult) -> None:
        super().__init__(1)
        self.result = result


def run_sweep(jobs: Sequence[Job], launcher: Launcher, compared: bool = True) -> SweepResult:
    """Check every job, train those that are not done, and where they are `compared` close with the report.

    With `plan=true` the jobs are checked and listed, and nothing is trained. Raises UserError before the
    first run starts where any job is wrong, and RunsFailed after the report where a run failed or died.
    """
    configs = _checked_configs(jobs)
    command = configs[0]
    if not command.plan and _is_work_likely(configs):
        launcher.warm_up()
    runs = _prepare_runs(jobs, configs)
    _refuse_duplicates(runs)
    print_corpora(runs)
    statuses = run_status.look_up_runs([run.folder for run in runs], command.rerun)
    if command.plan:
        plan.print_plan(runs, statuses, launcher.concurrency(configs))
        return SweepResult(list(statuses), [Outcome(run.name, "planned") for run in runs])
    to_train = [run for run in runs if statuses[run.folder].trained]
    if to_train:
        _prepare_training(to_train, launcher)
    _announce(statuses, compared)
    run_status.set_aside(statuses, command.unlock)
    scored = _score_finished([run for run in runs if not statuses[run.folder].trained])
    prepared = [
        PreparedJob(_pinned_overrides(job, run), run)
        for job, run in zip(jobs, runs, strict=True)
        if statuses[run.folder].trained
    ]
    try:
        outcomes = launcher.launch(prepared) if prepared else []
    finally:
        if compared:
            _compare(runs, bool(prepared) or scored)
    if not compared:
        _print_single(runs[0], outcomes)
    result = SweepResult([run.folder for run in runs], list(outcomes))
    if any(outcome.status == "failed" for outcome in outcomes):
        raise RunsFailed(result)
    return result


def _checked_configs(jobs: Sequence[Job]) -> list[AnyConfig]:
    configs = [parse_config(job.values) for job in jobs]
    for config in configs:
        check_resources(config)
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


def _is_work_likely(configs: Sequence[AnyConfig]) -> bool:
    """Whether the sweep's folder holds fewer records than there are jobs; seen before they are identified."""
    folder = outputs_folder() / (configs[0].sweep.name or "single")
    records = sum(1 for _ in folder.glob("*/result.json"))
    return records < len(configs) or configs[0].rerun != "unfinished"


def _prepare_runs(jobs: Sequence[Job], configs: Sequence[AnyConfig]) -> list[PreparedRun]:
    """Prepare each run; a corpus that several runs read is read once, by their task."""
    corpora: dict[int, Corpus] = {}
    for task, numbers in _by_task(configs).items():
        corpora |= zip(numbers, task.find_corpora([configs[n] for n in numbers]), strict=True)
    return [prepare(config, jobs[number].overrides, corpora[number]) for number, config in enumerate(configs)]


def _refuse_duplicates(runs: Sequence[PreparedRun]) -> None:
    twice = [folder.name for folder, count in Counter(run.folder for run in runs).items() if count > 1]
    if twice:
        raise UserError(f"the sweep holds the same run twice ({twice[0]}): name each value once")


def _prepare_training(runs: Sequence[PreparedRun], launcher: Launcher) -> None:
    """Do once what all runs need: heavy checks, downloads beside the corpora, workers."""
    configs = [run.config for run in runs]
    check_before_training(configs)
    for task in dict.fromkeys(run.task for run in runs):
        own = [run for run in runs if run.task is task]
        task.download_extras([run.config for run in own], [run.corpus for run in own])
    launcher.prepare_workers(configs)


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


def _pinned_overrides(job: Job, run: PreparedRun) -> list[str]:
    """Return the job's overrides with what was decided for all: whether the sample stands in, where the test
    set lies.
    """
    pinned = ["sweep.stands_in=true"] if run.corpus.fallback else []
    if (after := run.config.plain["data"].get("test_after")) is not None:
        pinned.append(f"data.test_after={after}")
    return [*job.overrides, *pinned]


def _compare(runs: Sequence[PreparedRun], trained: bool) -> None:
    """Print the ranking and write the report; where nothing was trained the files of last time stand."""
    sweep = runs[0].folder.parent
    if not trained and (sweep / "report.html").exists():
        print_line(f"nothing to train; the report lies in {display_path(sweep / 'report.html')}")
    else:
        from tangsweep.reporting.build import report_sweep  # pandas, SciPy and Altair: only when needed

        report_sweep(sweep, write_files=runs[0].config.report)
    run_status.print_unfinished([run.folder for run in runs])


def _print_single(run: PreparedRun, outcomes: Sequence[Outcome]) -> None:
    """Say where the files of a single run lie, and what it was where it was left alone."""
    folder = RunFolder(run.folder)
    if not outcomes:
        record = read_record(folder)
        holder = lock.describe_holder(folder) if lock.is_held(folder) else ""
        status = record.status if record else "missing"
        print_outcome(run, Outcome(run.name, status, record, skipped=True, holder=holder))
    print_line(f"files in {display_path(run.folder)}")
