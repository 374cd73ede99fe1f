"""How long groups train until their development perplexity is as low as a threshold."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.runs.state import ENDED, State


class Threshold(NamedTuple):
    """A perplexity that runs are timed to reach, and what it stands for."""

    perplexity: float
    meaning: str


def perplexity_thresholds(ranking: Ranking) -> list[Threshold]:
    """Return development perplexities that are worse than the best mean, with their names.

    Candidates are the unigram and bigram baselines, 1.5 and 1.1 times the best mean. The result is empty
    where accuracy ranks or no mean is finite.
    """
    runs, groups = ranking.comparable.runs, ranking.groups
    means = [group.means.get("dev_perplexity", math.inf) for group in groups if group.score]
    best = min((mean for mean in means if math.isfinite(mean)), default=None)
    if ranking.comparable.by_accuracy or best is None:
        return []
    meanings: dict[float, list[str]] = {}
    baselines = {f"{name} baseline": runs[name].dropna() for name in ("unigram", "bigram")}
    values = {meaning: float(column.iloc[0]) for meaning, column in baselines.items() if len(column)}
    for meaning, value in {**values, "1.5 × the best": 1.5 * best, "1.1 × the best": 1.1 * best}.items():
        if value > best:
            meanings.setdefault(round(value, 1), []).append(meaning)
    return [Threshold(value, ", ".join(meanings[value])) for value in sorted(meanings, reverse=True)]


def seconds_to_reach(
    comparable: ComparableRuns, epochs: pd.DataFrame, perplexities: Sequence[float]
) -> pd.DataFrame:
    """Return how long training took until an evaluation was as good, one row per perplexity and group.

    Columns: group, perplexity, seconds (median over all runs that ended or failed, of which those that missed
    it took infinitely long), reached (the number of those that did not), runs.
    """
    ended = comparable.runs[comparable.runs["status"].isin([*ENDED, State.FAILED.value])]
    groups = ended.set_index("run")["group"]
    epochs = epochs[epochs["run"].isin(groups.index)]
    tables = []
    for perplexity in perplexities:
        first = epochs[epochs["dev_perplexity"] <= perplexity].groupby("run")["seconds"].min()
        by_group = first.reindex(groups.index).fillna(math.inf).groupby(groups)
        times = pd.DataFrame({"seconds": by_group.median(), "reached": by_group.apply(_count_finite)})
        times = times.reindex(sorted(set(comparable.runs["group"]))).rename_axis("group").reset_index()
        tables.append(times.assign(perplexity=perplexity, runs=times["group"].map(groups.value_counts())))
    columns = ["group", "perplexity", "seconds", "reached", "runs"]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return table.assign(reached=table["reached"].fillna(0).astype(int))[columns]


def _count_finite(values: pd.Series) -> int:
    return int(np.isfinite(values).sum())
