"""Which of several settings is best by development scores: one rule for the sweep and for its report.

A sweep trains the best settings with the seeds that confirm them, and a report judges them: both must choose
the same one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from tangsweep.metrics import METRICS
from tangsweep.runs.record import Record, Scores
from tangsweep.runs.state import State

Setting = tuple[tuple[str, str], ...]  # sorted pairs of an override's key and its value


class DevelopmentCost(NamedTuple):
    """The development score of a run at its best epoch, lower is better.

    Infinite where the run failed or diverged, where it has not ended, and where its record has no such score.
    """

    seed: int | None
    total: float  # nats per character, or an accuracy with its sign turned
    known: float  # nats per character of the training vocabulary; accuracies have no such part


class MeanCost(NamedTuple):
    """What the runs of a setting cost, lower is better: settings with missing scores come last."""

    unscored_seeds: int  # of the seeds that any of the settings has
    mean: float  # over the other seeds


def pick_setting(values: Mapping[str, str], keys: Iterable[str]) -> Setting:
    """Return those of a run's overrides that have one of the `keys`."""
    return tuple((key, values[key]) for key in sorted(keys) if key in values)


def development_cost(record: Record | None, seed: int | None) -> DevelopmentCost:
    """Return what a run costs by its record; infinity without one."""
    if record is None or record.status != State.DONE or record.dev is None:
        return DevelopmentCost(seed, math.inf, math.inf)
    if record.primary is not None and record.primary.metric == "accuracy":
        accuracy = record.dev.accuracy
        cost = math.inf if accuracy is None else METRICS["accuracy"].sort_key(accuracy)
        return DevelopmentCost(seed, cost, cost)
    return DevelopmentCost(seed, _total_loss(record.dev), _finite_or_infinity(record.dev.known_loss))


def _total_loss(scores: Scores) -> float:
    """Return nats per character; from the perplexity where an older record has only that."""
    if scores.loss is None and scores.perplexity:
        return math.log(scores.perplexity)
    return _finite_or_infinity(scores.loss)


def _finite_or_infinity(loss: float | None) -> float:
    return math.inf if loss is None or math.isnan(loss) else loss


def choose_by_known(costs: Iterable[DevelopmentCost]) -> bool:
    """Return whether every run that has a score has one over known characters, which then chooses."""
    return all(math.isfinite(cost.known) for cost in costs if math.isfinite(cost.total))


def mean_costs(runs: Mapping[Setting, Sequence[DevelopmentCost]]) -> dict[Setting, MeanCost]:
    """Return what each setting costs; several runs of a setting and a seed count once, with their mean."""
    by_known = choose_by_known(cost for costs in runs.values() for cost in costs)
    seeds = {cost.seed for costs in runs.values() for cost in costs}
    means = {}
    for setting, costs in runs.items():
        by_seed: dict[int | None, list[float]] = {}
        for cost in costs:
            by_seed.setdefault(cost.seed, []).append(cost.known if by_known else cost.total)
        scored = [mean for of_seed in by_seed.values() if math.isfinite(mean := fmean(of_seed))]
        means[setting] = MeanCost(len(seeds) - len(scored), fmean(scored) if scored else math.inf)
    return means


def best_setting(runs: Mapping[Setting, Sequence[DevelopmentCost]]) -> Setting | None:
    """Return the setting with the lowest mean development cost; None where no run has a score.

    Losses are over known characters where every run has them, else over all. A setting with a seed that
    failed, diverged or is missing comes behind those without: its mean is that of survivors. Of equal
    settings it is the first in their own order, so that no order of runs decides.
    """
    means = mean_costs(runs)
    best = min(sorted(means), key=lambda setting: means[setting], default=None)
    return best if best is not None and math.isfinite(means[best].mean) else None
