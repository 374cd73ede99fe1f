"""Runs a sweep, from the composed jobs to the report; a single run is a sweep of one."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from tangsweep.config.run_config import AnyConfig
from tangsweep.console import print_line
from tangsweep.errors import UserError
from tangsweep.files import display_path, outputs_folder
from tangsweep.reporting.index_page import page_is_current
from tangsweep.reporting.live_page import LivePage
from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Outcome
from tangsweep.runs.record_file import read_record
from tangsweep.runs.state import run_state
from tangsweep.runs.wandb_names import wandb_sweep_id
from tangsweep.sweep import confirm, plan, run_status
from tangsweep.sweep.confirm import MakeJob
from tangsweep.sweep.jobs import Job, PreparedJob
from tangsweep.sweep.phase import Launcher, Phase, checked_configs, prepare_runs
from tangsweep.sweep.wandb_sweeps import replay_finished_run
from tangsweep.training.job import print_outcome, train_prepared
from tangsweep.training.prepare import (
    PreparedRun,
    check_before_training,
    print_corpora,
)


class ThisProcess:
    """The launcher of a single run: it is trained where it was prepared."""

    trains_here = True

    def warm_up(self) -> None: ...

    def concurrency(self, configs: Sequence[AnyConfig]) -> int:
        return 1

    def check(self, configs: Sequence[AnyConfig]) -> None:
        check_before_training(configs)

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


def run_sweep(
    jobs: Sequence[Job], launcher: Launcher, compared: bool = True, make_job: MakeJob | None = None
) -> SweepResult:
    """Check every job, train those that are not done, and where they are `compared` close with the report.

    `make_job` composes further jobs, which `confirm.seeds` asks for. With `plan=true` the jobs are checked
    and listed, and nothing is trained. Raises UserError before the first run starts where any job is wrong,
    and RunsFailed after the report where a run failed or died.
    """
    configs = checked_configs(jobs, launcher.trains_here)
    command = configs[0]
    if not command.plan and _is_work_likely(configs):
        launcher.warm_up()
    runs = prepare_runs(jobs, configs)
    _refuse_duplicates(runs)
    if command.confirm.seeds:
        confirm.check_seeds(command.confirm.seeds, [run.config.seed for run in runs])
    print_corpora(runs)
    if command.plan:
        return _plan(runs, launcher.concurrency(configs))
    phases = [Phase(list(jobs), runs)]
    live = LivePage(runs[0].folder.parent) if compared and command.report else nullcontext()
    try:
        with live:
            phases[0].train(launcher, compared)
            if make_job is not None and command.confirm.seeds and confirm.all_ended(runs):
                phases.append(confirm.confirmation(phases[0], make_job))
                phases[1].train(launcher, compared)
    finally:
        if compared:
            has_changed = any(phase.changed for phase in phases)
            close_with_report(runs[0].folder.parent, has_changed, command.report)
            run_status.print_unfinished([run.folder for phase in phases for run in phase.runs])
    if not compared:
        _close_single(runs[0], phases[0].outcomes)
    outcomes = [outcome for phase in phases for outcome in phase.outcomes]
    result = SweepResult([run.folder for phase in phases for run in phase.runs], outcomes)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise RunsFailed(result)
    return result


def _plan(runs: Sequence[PreparedRun], concurrency: int) -> SweepResult:
    """Print what the command would train."""
    command = runs[0].config
    statuses = run_status.look_up_runs([run.folder for run in runs], command.rerun)
    plan.print_plan(runs, statuses, concurrency)
    if command.confirm.seeds:
        count = confirm.compared_values(runs) * len(command.confirm.seeds)
        print_line(f"then {count} runs confirm the settings that these choose")
    return SweepResult(list(statuses), [Outcome(run.name, "planned") for run in runs])


def _is_work_likely(configs: Sequence[AnyConfig]) -> bool:
    """Whether the sweep's folder holds fewer records than there are jobs; seen before they are identified."""
    folder = outputs_folder() / (configs[0].sweep.name or "single")
    records = sum(1 for _ in folder.glob("*/result.json"))
    return records < len(configs) or configs[0].rerun != "unfinished"


def _refuse_duplicates(runs: Sequence[PreparedRun]) -> None:
    twice = [folder.name for folder, count in Counter(run.folder for run in runs).items() if count > 1]
    if twice:
        raise UserError(f"the sweep holds the same run twice ({twice[0]}): name each value once")


def close_with_report(sweep: Path, has_changed: bool, write_files: bool) -> None:
    """Print the ranking and write the report; where nothing was trained the files of last time stand."""
    if not has_changed and page_is_current(sweep):
        print_line(f"nothing to train; the report lies in {display_path(sweep / 'report.html')}")
    else:
        from tangsweep.reporting.build import report_sweep  # pandas, SciPy and Altair: only when needed

        report_sweep(sweep, write_files=write_files)


def _close_single(run: PreparedRun, outcomes: Sequence[Outcome]) -> None:
    """Say where the files of a single run lie, and what it was where it was left alone."""
    folder = RunFolder(run.folder)
    if not outcomes:
        record = read_record(folder)
        holder = lock.describe_holder(folder) if lock.is_held(folder) else ""
        status = record.status if record else run_state(folder).value
        print_outcome(run, Outcome(run.name, status, record, skipped=True, holder=holder))
        if record is not None and wandb_sweep_id() is not None:
            replay_finished_run(run, record)
    print_line(f"files in {display_path(run.folder)}")
