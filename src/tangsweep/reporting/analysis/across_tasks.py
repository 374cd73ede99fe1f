"""Compare competitors, such as optimizers, over several tasks: how soon they are good, and how often better.

A task is a set of comparable runs. Each competitor takes part in it with its best setting: that with the best
mean development score over seeds. A run that failed or diverged takes infinitely long and is infinitely bad.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from tangsweep.config.overrides import varied_values
from tangsweep.metrics import perplexity_of
from tangsweep.randomness import derive_seed
from tangsweep.reporting.analysis.ranking import FAILURES, Ranking
from tangsweep.reporting.analysis.statistics import CONFIDENCE
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.groups import NULL_WORDS, differing_keys
from tangsweep.runs.record import Record
from tangsweep.runs.state import ENDED, State

Floats = NDArray[np.float64]

TARGET_FACTOR = 1.05  # of the best tuned mean perplexity, or of its mean error where accuracy ranks
ERROR_ALLOWANCE = 0.001  # an error of 0 has no multiples, so errors count with so much more
MAX_RATIO = 4.0  # profiles are drawn and integrated up to here, as by AlgoPerf
RESAMPLES = 2000
NOT_COMPETING = ("corpus", "data", "experiment", "order_seed")  # overrides that name a task, or chance


class TunedRuns(NamedTuple):
    """The n runs of one competitor's best setting in one task."""

    setting: str  # the name of their group
    steps: Floats  # (n,) until an evaluation reached the target
    seconds: Floats  # (n,)
    costs: Floats  # (n,) perplexity of the set that ranks, or 1 − accuracy + ERROR_ALLOWANCE

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

    @property
    def best_mean_cost(self) -> float:
        return min(_failures_and_mean(tuned.costs) for tuned in self.competitors.values())[1]


class Estimate(NamedTuple):
    """A value with the ends of its bootstrap interval; NaN where a competitor has one run only in a task."""

    value: float
    low: float
    high: float


def shared_tasks(
    rankings: Sequence[Ranking], records: Mapping[str, Record], epochs: pd.DataFrame
) -> list[SharedTask]:
    """Return the tasks that at least two competitors share; empty where there are not two such tasks."""
    runs = [_with_costs(ranking.comparable) for ranking in rankings]
    overrides = [_overrides_by_group(rows, records) for rows in runs]
    keys = _competing_keys([[*by_group.values()] for by_group in overrides])
    named = []
    for rows, by_group in zip(runs, overrides, strict=True):
        competitors = {group: _competitor_name(values, keys) for group, values in by_group.items()}
        named.append(rows.assign(competitor=rows["group"].map(competitors)))
    numbers, names = largest_crossing([set(rows["competitor"].dropna()) for rows in named])
    tasks = [_tune(rankings[number].comparable, named[number], names, epochs) for number in numbers]
    tasks = [task for task in tasks if math.isfinite(task.target)]  # somebody was able to learn it
    return tasks if len(tasks) > 1 else []


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


def largest_crossing(competitors: Sequence[set[str]]) -> tuple[list[int], list[str]]:
    """Return tasks and competitors of which each competitor takes part in each task, as many as possible.

    Profiles need every pair. The number of pairs decides, then that of tasks; both are empty where no two
    tasks share two competitors.
    """
    intersections: set[frozenset[str]] = set()
    for names in competitors:
        intersections |= {other & names for other in intersections} | {frozenset(names)}
    crossings = [
        ([number for number, names in enumerate(competitors) if shared <= names], sorted(shared))
        for shared in sorted(intersections, key=sorted)
        if len(shared) > 1
    ]
    crossings = [crossing for crossing in crossings if len(crossing[0]) > 1]
    return max(crossings, key=lambda c: (len(c[0]) * len(c[1]), len(c[0])), default=([], []))


def _tune(
    comparable: ComparableRuns, runs: pd.DataFrame, names: Sequence[str], epochs: pd.DataFrame
) -> SharedTask:
    """Choose the best setting of each competitor, and time its runs to the target."""
    settings: dict[str, pd.DataFrame] = {}
    for name in names:
        by_setting = [rows for _, rows in runs[runs["competitor"] == name].groupby("group")]
        settings[name] = min(by_setting, key=lambda rows: _failures_and_mean(rows["choice"]))
    best = min(_failures_and_mean(rows["dev_cost"]) for rows in settings.values())[1]
    if comparable.by_accuracy:
        target = 1 - (TARGET_FACTOR * best + ERROR_ALLOWANCE)
        reaches = epochs["dev_accuracy"] >= target
    else:
        target = TARGET_FACTOR * best
        reaches = epochs["dev_perplexity"] <= target
    first = epochs[reaches].groupby("run")[["step", "seconds"]].min()
    tuned = {name: _time_runs(rows, first) for name, rows in settings.items()}
    return SharedTask(comparable.title, target, comparable.by_accuracy, tuned)


def _time_runs(runs: pd.DataFrame, first: pd.DataFrame) -> TunedRuns:
    times = first.reindex(runs["run"]).astype(float).fillna(math.inf)
    times.loc[runs["is_failure"].to_numpy()] = math.inf
    steps, seconds = times["step"].to_numpy(float), times["seconds"].to_numpy(float)
    return TunedRuns(str(runs["group"].iloc[0]), steps, seconds, runs["cost"].to_numpy(float))


def _with_costs(comparable: ComparableRuns) -> pd.DataFrame:
    """Return the runs that ended or failed, with columns in which lower is better and failures infinite:
    `choice` chooses settings, `dev_cost` is the development perplexity or error, `cost` as in `TunedRuns`.
    """
    runs = comparable.runs[comparable.runs["status"].isin([*ENDED, State.FAILED.value])]
    columns = ["dev_accuracy", "dev_perplexity", comparable.chosen_by, comparable.score_column]
    accuracy, dev_cost, choice, score = (pd.to_numeric(runs[column]).astype(float) for column in columns)
    choice = choice.map(comparable.metric.sort_key)
    cost = score.map(perplexity_of)
    if comparable.by_accuracy:
        dev_cost, cost = 1 - accuracy, 1 - accuracy + ERROR_ALLOWANCE
    is_failure = runs["status"].isin(FAILURES)
    costs = pd.DataFrame({"choice": choice, "dev_cost": dev_cost, "cost": cost}).mask(is_failure, math.inf)
    # A record without a score is neither good nor bad.
    return runs.assign(**costs, is_failure=is_failure)[costs.notna().all(axis=1)]


def _failures_and_mean(costs: Floats | pd.Series) -> tuple[float, float]:
    """Return the share of infinite costs and the mean of the others; settings are the better the lower both.

    As in rankings, a setting that sometimes fails stands behind those that never do.
    """
    values = np.asarray(costs, dtype=float)
    finite = values[np.isfinite(values)]
    return 1 - len(finite) / len(values), float(finite.mean()) if len(finite) else math.inf


def performance_ratios(times: Floats) -> Floats:
    """Return t / t_best of each task (row) and competitor (column); infinite where a competitor missed."""
    best = times.min(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: Floats = np.where(np.isfinite(times), times / best, math.inf)
    ratios[np.isfinite(times) & (times == best)] = 1.0  # also where the untrained model is good enough
    return ratios


def profile_share(ratios: Floats, tau: float) -> Floats:
    """Return ρ(τ) of each competitor: the share of tasks with t / t_best ≤ τ (Dolan and Moré 2002)."""
    shares: Floats = (ratios <= tau).mean(axis=0)
    return shares


def profile_scores(ratios: Floats) -> Floats:
    """Return ⅓ ∫₁⁴ ρ(τ) dτ of each competitor (Dahl et al. 2023): a task with ratio r adds (4 − r) / 3."""
    scores: Floats = np.clip((MAX_RATIO - ratios) / (MAX_RATIO - 1), 0, None).mean(axis=0)
    return scores


def preferences(costs: Floats, others: Floats) -> Floats:
    """Return (m, n): 1 where a run is better than one of the others, ½ where they are equal, else 0."""
    better: Floats = (costs[:, None] < others) + 0.5 * (costs[:, None] == others)
    return better


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
