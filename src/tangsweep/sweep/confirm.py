"""Chooses the best setting of each value that a sweep compares, and the runs that confirm it with new seeds.

The choice is made by development scores alone, so a repeated command makes the same one.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from tangsweep.config.overrides import varied_keys, varied_values
from tangsweep.console import print_line
from tangsweep.errors import UserError
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Record
from tangsweep.runs.record_file import read_record
from tangsweep.runs.state import ENDED, State
from tangsweep.sweep.jobs import Job
from tangsweep.sweep.phase import Phase, checked_configs, pinned_overrides, prepare_runs
from tangsweep.training.prepare import PreparedRun

MakeJob = Callable[[Sequence[str], int], Job]  # the job of the same overrides with another seed
Setting = tuple[tuple[str, str], ...]  # sorted pairs of an override key and its value


class ChosenSetting(NamedTuple):
    """The best setting of one value that is compared."""

    compared: str  # `adam`
    setting: str  # `optimizer.lr=0.001`
    candidates: int
    run: PreparedRun  # one of the runs of this setting


def check_seeds(runs: Sequence[PreparedRun]) -> None:
    """Raise UserError where a seed that confirms is among those that choose."""
    seeds = set(runs[0].config.confirm.seeds)
    if twice := seeds & {run.config.seed for run in runs}:
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
        raise UserError(
            "confirm.seeds: nothing is chosen, because no setting is varied beside what is compared"
        )
    seeds = phase.runs[0].config.confirm.seeds
    for choice in chosen:
        print_line(
            f"{choice.compared}: {choice.setting} is the best of {choice.candidates} by development score"
        )
    print_line(f"confirmed with the seeds {', '.join(map(str, seeds))}, which took no part in the choice")
    jobs = [make_job(overrides[choice.run.folder], seed) for choice in chosen for seed in seeds]
    return Phase(jobs, prepare_runs(jobs, checked_configs(jobs)))


def choose_settings(runs: Sequence[PreparedRun]) -> list[ChosenSetting]:
    """Return the setting with the best mean development score over seeds, for each value that is compared.

    A setting of which a run diverged, failed or has no score is no candidate. Nothing is chosen where a
    sweep tunes nothing.
    """
    values = [varied_values(run.overrides) for run in runs]
    keys = varied_keys(values, runs[0].config.sweep.compare)
    if not keys.tuned:
        return []
    by_value: dict[Setting, dict[Setting, list[PreparedRun]]] = {}
    for run, own in zip(runs, values, strict=True):
        settings = by_value.setdefault(_pick(own, keys.compared), {})
        settings.setdefault(_pick(own, keys.tuned), []).append(run)
    chosen = []
    for value, settings in by_value.items():
        scores = {
            setting: score for setting, of in settings.items() if (score := _mean_score(of)) is not None
        }
        if scores:
            best = min(scores, key=lambda setting: scores[setting])
            name = " ".join(text for _, text in value)
            chosen.append(ChosenSetting(name, _format(best), len(settings), settings[best][0]))
    return chosen


def compared_values(runs: Sequence[PreparedRun]) -> int:
    """Return how many values a sweep compares of which a setting will be chosen; 0 where none will be."""
    values = [varied_values(run.overrides) for run in runs]
    keys = varied_keys(values, runs[0].config.sweep.compare)
    return len({_pick(own, keys.compared) for own in values}) if keys.tuned else 0


def _pick(values: Mapping[str, str], keys: Sequence[str]) -> Setting:
    return tuple((key, values[key]) for key in keys if key in values)


def _format(setting: Setting) -> str:
    return " ".join(f"{key}={value}" for key, value in setting) or "default"


def _mean_score(runs: Sequence[PreparedRun]) -> float | None:
    """Return the mean development score, lower is better; None where a run has none."""
    scores = [_score(read_record(RunFolder(run.folder))) for run in runs]
    values = [score for score in scores if score is not None]
    return fmean(values) if len(values) == len(scores) else None


def _score(record: Record | None) -> float | None:
    if record is None or record.status != State.DONE or record.dev is None:
        return None
    metric = record.metric
    if metric.name != "accuracy":  # known characters, as the report ranks
        return record.dev.loss if record.dev.known_loss is None else record.dev.known_loss
    return None if record.dev.accuracy is None else metric.sort_key(record.dev.accuracy)
