"""The command of a search, from its space to the report."""

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

from tangsweep.config.search_options import SearchOptions
from tangsweep.console import print_line
from tangsweep.errors import UserError
from tangsweep.files import display_path
from tangsweep.reporting.live_page import LivePage
from tangsweep.runs import lock, provenance
from tangsweep.runs.best_setting import DevelopmentCost, best_setting, development_cost
from tangsweep.runs.best_setting import Setting as TunedValues
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Outcome
from tangsweep.runs.record_file import read_record
from tangsweep.runs.search_log import SearchLog, Step
from tangsweep.sweep.confirm import check_seeds
from tangsweep.sweep.halving import Rung, ladder
from tangsweep.sweep.jobs import Job, PreparedJob
from tangsweep.sweep.phase import Phase, StreamLauncher, prepare_training
from tangsweep.sweep.plan import print_search_plan
from tangsweep.sweep.proposals import check_optuna
from tangsweep.sweep.run_sweep import RunsFailed, SweepResult, close_with_report
from tangsweep.sweep.search import RERUNS, Search, search_seeds
from tangsweep.sweep.search_known import read_known_settings
from tangsweep.sweep.search_runs import SearchRuns
from tangsweep.sweep.search_space import Space, space_values
from tangsweep.sweep.search_state import SearchState
from tangsweep.sweep.wandb_sweeps import write_wandb_sweeps
from tangsweep.training.prepare import PreparedRun, print_corpora


class SearchPlan(NamedTuple):
    """What a search is before its first run: all that its file begins with."""

    space: Space
    runs: SearchRuns
    options: SearchOptions
    ladders: dict[str, list[Rung]]

    @property
    def header(self) -> dict[str, object]:
        options = self.options.model_dump(include={"sampler", "startup", "seed", "eta", "known"})
        return {
            "space": space_values(self.space),
            "rungs": {name: [list(rung) for rung in rungs] for name, rungs in self.ladders.items()},
            **options,
            "settings": [run.config_hash for run in self.runs.probes],
        }


def plan_search(space: Space, runs: SearchRuns) -> SearchPlan:
    """Check what a search asks for and derive its rungs. Raises UserError."""
    command = runs.probes[0].config
    options = command.search
    check_optuna(options.sampler)
    if command.rerun not in RERUNS:
        raise UserError(
            f"rerun={command.rerun} is not for a search, whose decisions follow from its runs: "
            "give a new search another sweep.name"
        )
    seeds = search_seeds(options, command.seed)
    check_seeds(command.confirm.seeds, seeds)
    ladders = {arm.name: _ladder(runs.probe(arm.name), options, seeds) for arm in space}
    return SearchPlan(space, runs, options, ladders)


def _ladder(probe: PreparedRun, options: SearchOptions, seeds: Sequence[int]) -> list[Rung]:
    """Return the rungs of an arm, whose runs are as long as `probe`. Raises UserError."""
    trainer = probe.config.trainer
    epochs = trainer.max_epochs
    if trainer.max_steps is not None and trainer.val_every is not None:
        by_steps = -(-trainer.max_steps // trainer.val_every)
        epochs = by_steps if epochs is None else min(epochs, by_steps)
    if epochs is None and options.eta > 1:
        raise UserError(
            "rungs of a search need trainer.max_epochs; search.eta=1 trains all runs to their end"
        )
    if options.min_epochs is not None and epochs is not None and options.min_epochs >= epochs:
        raise UserError(f"search.min_epochs={options.min_epochs} must be less than a run's {epochs} epochs")
    return ladder(epochs, options.min_epochs, options.eta, seeds)


def run_search(
    space: Space, runs: SearchRuns, launcher: StreamLauncher, sweep_file: str | None = None
) -> SweepResult:
    """Run a search, or go on with it, confirm what it has chosen, and close with the report.

    With `plan=true` nothing is trained, nor with `wandb_sweep`, which writes the space for W&B; `sweep_file`
    names the file that the command was given. Raises UserError before the first run starts where anything is
    wrong, and RunsFailed after the report where a run failed.
    """
    plan = plan_search(space, runs)
    command, sweep = runs.probes[0].config, runs.probes[0].folder.parent
    if command.wandb_sweep is not None:
        write_wandb_sweeps(command.wandb_sweep, space, command, sweep_file)
        return SweepResult([], [])
    first = read_known_settings(command.search.known, space)
    state = SearchState(space, plan.ladders, command.search, first)
    print_corpora(runs.probes)
    if command.plan:
        concurrency = launcher.concurrency([run.config for run in runs.probes])
        print_search_plan(space, plan.ladders, runs, concurrency)
        return SweepResult([], [Outcome(run.name, "planned") for run in runs.probes])
    try:
        with lock.hold_lock(RunFolder(sweep), command.unlock):
            log = SearchLog(sweep)
            search = Search(state, runs, log, log.open(plan.header), command.rerun)
            outcomes = _train(search, runs, launcher)
    except lock.LockHeld as held:
        raise UserError(f"{display_path(sweep)} is searched by {held}: wait for it, or stop it") from None
    result = SweepResult(list(dict.fromkeys(map(search.folder_of, state.begun))), outcomes)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise RunsFailed(result)
    return result


def _train(search: Search, runs: SearchRuns, launcher: StreamLauncher) -> list[Outcome]:
    """Train what the search decides and then what confirms it, and write the report however that ends."""
    command, sweep = runs.probes[0].config, runs.probes[0].folder.parent
    state, confirming = search.state, list[Outcome]()
    if search.may_train:
        prepare_training(runs.probes, launcher)
    count = len(state.arms) * (command.search.trials or 0)
    print_line(
        f"a search of {count} settings, {len(state.settings)} of them begun, into {display_path(sweep)}"
    )
    begun = {(step.trial, state.rung(step).seed) for step in state.begun}
    provenance.log_command(sweep, len(begun), 0)
    live = LivePage(sweep) if command.report else nullcontext()
    try:
        with live:
            began = time.monotonic()
            launcher.launch_stream(search, command.search.at_once)
            search.close()
            _print_busy_share(search, launcher.concurrency([command]), time.monotonic() - began)
            if command.confirm.seeds and (phase := _confirmation(search, runs)) is not None:
                phase.train(launcher, compared=True)
                confirming = phase.outcomes
    finally:
        close_with_report(sweep, bool(search.trained or confirming), command.report)
        print_line(_summary(search))
    return [*search.outcomes, *confirming]


def _print_busy_share(search: Search, workers: int, seconds: float) -> None:
    """Say for how much of the time the workers had a run, where there are several and it was a while."""
    if workers > 1 and search.trained > workers:
        print_line(
            f"{workers} workers had a run for {search.busy_seconds / (workers * seconds):.0%} of the time"
        )


def _summary(search: Search) -> str:
    """Say what became of the settings."""
    state = search.state
    tops = [best for trial in range(len(state.settings)) if (best := state.highest(trial)) is not None]
    is_ended = [state.rung(Step(best.trial, best.rung)).epochs is None for best in tops]
    diverged = sum(math.isinf(best.value) for best in tops)
    paused = sum(math.isfinite(best.value) and not ended for best, ended in zip(tops, is_ended, strict=True))
    ends = [f"{sum(is_ended)} to the end", f"{diverged} diverged"]
    ends += [f"{paused} paused, which rerun=paused takes up"] if paused else []
    waiting = "" if state.is_complete else "; the same command goes on"
    return f"{len(state.settings)} settings tried: {', '.join(ends)}{waiting}"


def _confirmation(search: Search, runs: SearchRuns) -> Phase | None:
    """Return the runs that confirm the best setting of each arm; None where no arm has one.

    It is chosen as a report chooses it: by the records of the runs that came to their end.
    """
    seeds = runs.probes[0].config.confirm.seeds
    jobs: list[PreparedJob] = []
    for name in search.state.arms:
        steps = search.state.run_steps(name)
        costs: dict[TunedValues, list[DevelopmentCost]] = {}
        for step in steps:
            record = read_record(RunFolder(search.folder_of(step)))
            if record is not None:  # a run may lose patience before its rung
                cost = development_cost(record, search.state.rung(step).seed)
                costs.setdefault(_tuned_values(search, step), []).append(cost)
        best = best_setting(costs)
        if best is None:
            continue
        step = next(step for step in steps if _tuned_values(search, step) == best)
        setting = search.state.settings[step.trial]
        print_line(f"{name}: {' '.join(setting.overrides())} is the best of {len(costs)} trained to the end")
        jobs += [runs.job(setting, seed) for seed in seeds]
    if not jobs:
        return None
    print_line(f"confirmed with the seeds {', '.join(map(str, seeds))}, which took no part in the choice")
    return Phase([Job(job.overrides, job.run.config.plain) for job in jobs], [job.run for job in jobs])


def _tuned_values(search: Search, step: Step) -> TunedValues:
    return tuple(sorted(search.state.settings[step.trial].parameters.items()))
