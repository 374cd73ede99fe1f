"""Chooses the best setting of each value that a sweep compares, and the runs that confirm it with new seeds.

The choice is made by development scores alone, so a repeated command makes the same one.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tangsweep.config.overrides import varied_keys, varied_values
from tangsweep.console import print_line
from tangsweep.errors import UserError
from tangsweep.runs.best_setting import (
    DevelopmentCost,
    Setting,
    best_setting,
    development_cost,
    mean_costs,
    pick_setting,
)
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record_file import read_record
from tangsweep.runs.state import ENDED
from tangsweep.sweep.jobs import Job
from tangsweep.sweep.phase import Phase, checked_configs, pinned_overrides, prepare_runs
from tangsweep.training.prepare import PreparedRun

MakeJob = Callable[[Sequence[str], int], Job]  # the job of the same overrides with another seed

NOTHING_VARIED = "no setting is varied beside what is compared"


class ChosenSetting(NamedTuple):
    """The best setting of one value that is compared."""

    compared: str  # `adam`
    setting: str  # `optimizer.lr=0.001`
    candidates: int
    unscored_seeds: int  # with which it failed or diverged; no other setting has fewer
    run: PreparedRun  # one of the runs of this setting


def check_seeds(confirming: Iterable[int], choosing: Iterable[int]) -> None:
    """Raise UserError where a seed that confirms is among those that choose."""
    if twice := set(confirming) & set(choosing):
        raise UserError(
            f"confirm.seeds={min(twice)} is among the seeds that choose: name seeds that no run of it has"
        )


def all_ended(runs: Sequence[PreparedRun]) -> bool:
    """Return whether every run has ended, so that a choice can be made."""
    records = [read_record(RunFolder(run.folder)) for run in runs]
    return all(record is not None and record.status in ENDED for record in records)


def confirmation(phase: Phase, make_job: MakeJob) -> Phase:
    """Choose the best settings, and return the runs that confirm each of them. Raises UserError."""
    overrides = {
        run.folder: pinned_overrides(job, run) for job, run in zip(phase.jobs, phase.runs, strict=True)
    }
    chosen = choose_settings(phase.runs)
    if not chosen:
        reason = "no run has a score" if compared_values(phase.runs) else NOTHING_VARIED
        raise UserError(f"confirm.seeds: nothing is chosen, because {reason}")
    seeds = phase.runs[0].config.confirm.seeds
    for choice in chosen:
        print_line(_describe(choice))
    print_line(f"confirmed with the seeds {', '.join(map(str, seeds))}, which took no part in the choice")
    jobs = [make_job(overrides[choice.run.folder], seed) for choice in chosen for seed in seeds]
    configs = checked_configs(jobs, trains_here=False)  # runs like them have been trained
    return Phase(jobs, prepare_runs(jobs, configs))


def _describe(choice: ChosenSetting) -> str:
    failed = (
        f", although {choice.unscored_seeds} of the seeds have no score with it"
        if choice.unscored_seeds
        else ""
    )
    return (
        f"{choice.compared}: {choice.setting} is the best of {choice.candidates} by development score{failed}"
    )


def choose_settings(runs: Sequence[PreparedRun]) -> list[ChosenSetting]:
    """Return the best setting of each value that is compared; nothing where a sweep tunes nothing.

    A value of which no run has a score has no best setting.
    """
    values = [varied_values(run.overrides) for run in runs]
    keys = varied_keys(values, runs[0].config.sweep.compare)
    if not keys.tuned:
        return []
    by_value: dict[Setting, dict[Setting, list[PreparedRun]]] = {}
    for run, own in zip(runs, values, strict=True):
        settings = by_value.setdefault(pick_setting(own, keys.compared), {})
        settings.setdefault(pick_setting(own, keys.tuned), []).append(run)
    chosen = []
    for value, settings in by_value.items():
        costs = {setting: [_cost(run) for run in of_setting] for setting, of_setting in settings.items()}
        best = best_setting(costs)
        if best is not None:
            name = " ".join(text for _, text in value)
            unscored = mean_costs(costs)[best].unscored_seeds
            chosen.append(ChosenSetting(name, _format(best), len(settings), unscored, settings[best][0]))
    return chosen


def _cost(run: PreparedRun) -> DevelopmentCost:
    return development_cost(read_record(RunFolder(run.folder)), run.config.seed)


def compared_values(runs: Sequence[PreparedRun]) -> int:
    """Return how many values a sweep compares of which a setting will be chosen; 0 where none will be."""
    values = [varied_values(run.overrides) for run in runs]
    keys = varied_keys(values, runs[0].config.sweep.compare)
    return len({pick_setting(own, keys.compared) for own in values}) if keys.tuned else 0


def _format(setting: Setting) -> str:
    return " ".join(f"{key}={value}" for key, value in setting) or "default"
