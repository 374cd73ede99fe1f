"""Compare competitors, such as optimizers, over several tasks: how soon they are good, and how often better.

A task is a set of comparable runs. Each competitor takes part in it with its best setting by development
scores, and with seeds that took no part in that choice where there are any. A run that failed or diverged
takes infinitely long and is infinitely bad.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from tangsweep.config.overrides import varied_values
from tangsweep.metrics import perplexity_of
from tangsweep.randomness import derive_seed
from tangsweep.reporting.analysis.performance_profiles import Floats, largest_crossing, preferences
from tangsweep.reporting.analysis.ranking import FAILURES
from tangsweep.reporting.analysis.statistics import CONFIDENCE
from tangsweep.reporting.analysis.tuning import best_setting_of, confirming_seeds
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.groups import NULL_WORDS, differing_keys
from tangsweep.reporting.data.run_files import FlatConfig
from tangsweep.runs.best_setting import Setting, pick_setting
from tangsweep.runs.record import Record
from tangsweep.runs.state import ENDED, State

TARGET_FACTOR = 1.05  # of the best tuned mean perplexity, or of its mean error where accuracy ranks
ERROR_ALLOWANCE = 0.001  # an error of 0 has no multiples, so errors count with so much more
RESAMPLES = 2000
NOT_COMPETING = ("corpus", "data", "experiment", "order_seed")  # overrides that name a task, or chance


class TunedRuns(NamedTuple):
    """The n runs of one competitor's best setting in one task."""

    setting: str  # the name of their group
    steps: Floats  # (n,) until an evaluation reached the target
    seconds: Floats  # (n,)
    costs: Floats  # (n,) perplexity of the set that ranks, or 1 − accuracy + ERROR_ALLOWANCE
    candidates: int = 1  # settings of which this is the best

    @property
    def reached(self) -> int:
        """How many runs reached the target."""
        return int(np.isfinite(self.steps).sum())


class SharedTask(NamedTuple):
    """A task that every competitor was trained on."""

    title: str
    target: float  # a development perplexity, or accuracy
    by_accuracy: bool
    competitors: dict[str, TunedRuns]
    is_confirmed: bool = False  # by seeds that took no part in choosing settings

    @property
    def best_mean_cost(self) -> float:
        return min(_failures_and_mean(tuned.costs) for tuned in self.competitors.values())[1]


class Estimate(NamedTuple):
    """A value with the ends of its bootstrap interval; NaN where a competitor has one run only in a task."""

    value: float
    low: float
    high: float


def shared_tasks(
    comparables: Sequence[ComparableRuns],
    configs: Mapping[str, FlatConfig],
    records: Mapping[str, Record],
    epochs: pd.DataFrame,
) -> list[SharedTask]:
    """Return the tasks that at least two competitors share; empty where there are not two such tasks."""
    runs = [_with_costs(comparable, configs) for comparable in comparables]
    overrides = [_overrides_by_group(rows, records) for rows in runs]
    keys = _competing_keys([[*by_group.values()] for by_group in overrides])
    named = []
    settings: dict[str, Setting] = {}
    for rows, by_group in zip(runs, overrides, strict=True):
        competitors = {group: _competitor_name(values, keys) for group, values in by_group.items()}
        named.append(rows.assign(competitor=rows["group"].map(competitors)))
        settings |= _settings(rows, by_group, keys)
    choosing = [set(rows.loc[~rows["is_confirming"], "competitor"].dropna()) for rows in named]
    numbers, names = largest_crossing(choosing)
    chosen = [_choose(named[number], names, settings, records) for number in numbers]
    tasks = [_time_task(comparables[n], own, epochs) for n, own in zip(numbers, chosen, strict=True)]
    tasks = [task for task in tasks if math.isfinite(task.target)]  # somebody was able to learn it
    return tasks if len(tasks) > 1 else []


def _settings(
    runs: pd.DataFrame, overrides: Mapping[str, Mapping[str, str]], keys: Collection[str]
) -> dict[str, Setting]:
    """Return the setting of each run: overrides that differ and do not compete, and the group's own name."""
    tuned = [key for key in differing_keys([*overrides.values()]) if key not in keys]
    by_group = {g: (*pick_setting(values, tuned), ("group", g)) for g, values in overrides.items()}
    pairs = zip(runs["run"], runs["group"], strict=True)
    return {run: by_group[group] for run, group in pairs if group in by_group}


def _overrides_by_group(runs: pd.DataFrame, records: Mapping[str, Record]) -> dict[str, dict[str, str]]:
    first = runs[runs["run"].isin(list(records))].drop_duplicates("group").set_index("group")["run"]
    return {str(group): varied_values(records[run].overrides or []) for group, run in first.items()}


def _competing_keys(overrides: Sequence[Sequence[Mapping[str, str]]]) -> list[str]:
    """Return the group choices that vary within at least two tasks."""
    varied = [key for by_group in overrides for key in differing_keys(by_group)]
    several = [key for key in dict.fromkeys(varied) if varied.count(key) > 1]
    return [key for key in several if "." not in key and key not in NOT_COMPETING]


def _competitor_name(overrides: Mapping[str, str], keys: Iterable[str]) -> str:
    values = {key: overrides[key] for key in keys if key in overrides}
    parts = (f"{key}={value}" if value.lower() in NULL_WORDS else value for key, value in values.items())
    return " ".join(parts) or "default"


def _choose(
    runs: pd.DataFrame, names: Sequence[str], settings: Mapping[str, Setting], records: Mapping[str, Record]
) -> dict[str, pd.DataFrame]:
    """Return the runs of each competitor's best setting, with the number of settings that it tried."""
    chosen = {}
    for name in names:
        own = runs[runs["competitor"] == name]
        choosing = own.loc[~own["is_confirming"], "run"].tolist()
        tried = {settings[run] for run in choosing}
        best = best_setting_of(choosing, settings, records) or min(tried)  # all failed: whichever
        chosen[name] = own[[settings[run] == best for run in own["run"]]].assign(candidates=len(tried))
    return chosen


def _time_task(
    comparable: ComparableRuns, chosen: Mapping[str, pd.DataFrame], epochs: pd.DataFrame
) -> SharedTask:
    """Time the runs of each competitor's best setting to the target.

    Where every competitor has runs of the same seeds that took no part in the choice, these alone count.
    """
    confirming = {frozenset(rows.loc[rows["is_confirming"], "seed"]) for rows in chosen.values()}
    is_confirmed = len(confirming) == 1 and confirming != {frozenset()}
    judged = {name: rows[rows["is_confirming"] == is_confirmed] for name, rows in chosen.items()}
    best = min(_failures_and_mean(rows["dev_cost"]) for rows in judged.values())[1]
    if comparable.by_accuracy:
        target = 1 - (TARGET_FACTOR * best + ERROR_ALLOWANCE)
        reaches = epochs["dev_accuracy"] >= target
    else:
        target = TARGET_FACTOR * best
        reaches = epochs["dev_perplexity"] <= target
    first = epochs[reaches].groupby("run")[["step", "seconds"]].min()
    tuned = {name: _time_runs(rows, first) for name, rows in judged.items()}
    return SharedTask(comparable.title, target, comparable.by_accuracy, tuned, is_confirmed)


def _time_runs(runs: pd.DataFrame, first: pd.DataFrame) -> TunedRuns:
    times = first.reindex(runs["run"]).astype(float).fillna(math.inf)
    times.loc[runs["is_failure"].to_numpy()] = math.inf
    steps, seconds = times["step"].to_numpy(float), times["seconds"].to_numpy(float)
    costs, candidates = runs["cost"].to_numpy(float), int(runs["candidates"].iloc[0])
    return TunedRuns(str(runs["group"].iloc[0]), steps, seconds, costs, candidates)


def _with_costs(comparable: ComparableRuns, configs: Mapping[str, FlatConfig]) -> pd.DataFrame:
    """Return the runs that ended or failed, with columns in which lower is better and failures infinite:
    `dev_cost` is the development perplexity or error, `cost` as in `TunedRuns`.
    """
    runs = comparable.runs[comparable.runs["status"].isin([*ENDED, State.FAILED.value])]
    columns = ["dev_accuracy", "dev_perplexity", comparable.score_column]
    accuracy, dev_cost, score = (pd.to_numeric(runs[column]).astype(float) for column in columns)
    cost = score.map(perplexity_of)
    if comparable.by_accuracy:
        dev_cost, cost = 1 - accuracy, 1 - accuracy + ERROR_ALLOWANCE
    is_failure = runs["status"].isin(FAILURES)
    costs = pd.DataFrame({"dev_cost": dev_cost, "cost": cost}).mask(is_failure, math.inf)
    is_confirming = runs["seed"].isin(confirming_seeds(configs, comparable.runs["run"].tolist()))
    runs = runs.assign(**costs, is_failure=is_failure, is_confirming=is_confirming)
    return runs[costs.notna().all(axis=1)]  # a record without a score is neither good nor bad


def _failures_and_mean(costs: Floats | pd.Series) -> tuple[float, float]:
    """Return the share of infinite costs and the mean of the others; settings are the better the lower both.

    As in rankings, a setting that sometimes fails stands behind those that never do.
    """
    values = np.asarray(costs, dtype=float)
    finite = values[np.isfinite(values)]
    return 1 - len(finite) / len(values), float(finite.mean()) if len(finite) else math.inf


def probability_of_improvement(tasks: Sequence[SharedTask], name: str, other: str) -> Estimate:
    """Return P(a run of `name` is better than one of `other`): Mann and Whitney's U / (m n), mean over tasks.

    The interval is a percentile bootstrap, stratified by task and competitor (Agarwal et al. 2021).
    """
    generator = np.random.default_rng(derive_seed(0, "bootstrap", name, other))
    values, resamples = [], np.zeros(RESAMPLES)
    for task in tasks:
        matrix = preferences(task.competitors[name].costs, task.competitors[other].costs)
        weights, other_weights = (
            generator.multinomial(size, np.full(size, 1 / size), RESAMPLES) / size for size in matrix.shape
        )
        values.append(float(matrix.mean()))
        resamples += ((weights @ matrix) * other_weights).sum(axis=1) / len(tasks)
    return _estimate(float(np.mean(values)), resamples, tasks, (name, other))


def most_preferred(tasks: Sequence[SharedTask]) -> str:
    """Return the competitor whose runs are better than those of the others with the highest probability."""
    totals = dict.fromkeys(tasks[0].competitors, 0.0)
    for task in tasks:
        for name, tuned in task.competitors.items():
            rivals = (rival.costs for rival in task.competitors.values())
            totals[name] += sum(float(preferences(tuned.costs, costs).mean()) for costs in rivals)
    return max(totals, key=lambda name: totals[name])


def interquartile_mean(tasks: Sequence[SharedTask], name: str) -> Estimate:
    """Return the mean of the middle half of a competitor's runs of all tasks (Agarwal et al. 2021).

    A run counts with its cost as a multiple of its task's best mean cost. The interval is a bootstrap too.
    """
    generator = np.random.default_rng(derive_seed(0, "bootstrap", name))
    ratios = [task.competitors[name].costs / task.best_mean_cost for task in tasks]
    drawn = [values[generator.integers(len(values), size=(RESAMPLES, len(values)))] for values in ratios]
    resamples = stats.trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
    return _estimate(float(stats.trim_mean(np.concatenate(ratios), 0.25)), resamples, tasks, (name,))


def _estimate(value: float, resamples: Floats, tasks: Sequence[SharedTask], names: Sequence[str]) -> Estimate:
    if min(len(task.competitors[name].costs) for task in tasks for name in names) < 2:
        return Estimate(value, math.nan, math.nan)
    # Between an infinite resample and its neighbour there is nothing to interpolate.
    low, high = np.quantile(resamples, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], method="higher")
    return Estimate(value, float(low), float(high))
