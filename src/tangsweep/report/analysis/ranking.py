"""The ranking of the groups of comparable runs, with what their seeds allow to say."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from tangsweep.report.analysis.statistics import Difference, Interval, holm, interval, paired
from tangsweep.report.charts import solve_rates
from tangsweep.report.data.comparability import ComparableRuns

VARIANTS = ("dev_perplexity_padded", "dev_perplexity_mean_over_sentences", "dev_perplexity_oov_charged")
# What is measured of poems, with the heading of its column.
QUALITY = {
    "right_lines": "lines",
    "free_rhyme": "rhyme",
    "free_tones": "tones",
    "constrained_rhyme": "rhyme*",
    "constrained_tones": "tones*",
    "free_distinct_1": "dist-1",
    "free_distinct_2": "dist-2",
    "free_distinct_3": "dist-3",
    "free_longest_copy": "copy",
    "free_copied_line": "copied",
}
MEANS = (
    "dev_bits_per_character", "train_perplexity", "last_train_perplexity", "last_dev_perplexity", "gap",
    "dev_loss", "best_epoch", "characters_per_second", "seconds", "steps", "solved_step", "last_dev_accuracy",
    *VARIANTS, *QUALITY,
)  # fmt: skip


class Ranked(NamedTuple):
    """One group. `scores` are by seed, of the runs that have one; `of` counts all its runs."""

    group: str
    score: Interval | None
    scores: dict[int, float]
    of: int
    failures: dict[str, int]  # status → runs, of those without a score or diverged
    difference: Difference | None  # to the first group
    p: float | None  # Holm-corrected
    repeated: int  # runs with the seed of another: their scores are averaged first
    solved: list[float | None]  # of tasks that can be solved: each ended run's step, None where it was not
    means: dict[str, float]  # of MEANS, over the runs with a score; not of columns that none has


class Ranking(NamedTuple):
    """The groups of runs that may be compared, in order."""

    part: ComparableRuns
    groups: list[Ranked]


def rank(part: ComparableRuns) -> Ranking:
    """Best first, groups without a score last. What can be solved: by how often, then how soon."""
    column = "dev_accuracy" if part.by_accuracy else "dev_perplexity"
    runs = part.runs.assign(gap=_numbers(part.runs["dev_loss"]) - _numbers(part.runs["train_loss"]))
    runs[[column, *MEANS]] = runs[[column, *MEANS]].apply(_numbers)
    groups = [_ranked(str(name), same, column) for name, same in runs.groupby("group")]
    ordered = sorted(groups, key=lambda group: _order(group, part.by_accuracy))
    best = ordered[0].scores
    found = [paired(g.scores, best) if place and g.scores else None for place, g in enumerate(ordered)]
    tested = [None if part.by_accuracy or difference is None else difference.p for difference in found]
    corrected = holm(tested)
    whole = zip(ordered, found, corrected, strict=True)
    return Ranking(part, [group._replace(difference=d, p=p) for group, d, p in whole])


def _order(group: Ranked, by_accuracy: bool) -> tuple[bool, float, float, float, str]:
    steps = [step for step in group.solved if step is not None]
    often = len(steps) / len(group.solved) if group.solved else 0.0
    soon = sum(steps) / len(steps) if steps else math.inf
    score = group.score.mean if group.score else 0.0
    return group.score is None, -often, soon, -score if by_accuracy else score, group.group


def _numbers(column: pd.Series) -> pd.Series:
    """As floats; what is none is missing."""
    return pd.to_numeric(column, errors="coerce").astype(float)


def _ranked(group: str, runs: pd.DataFrame, column: str) -> Ranked:
    scored = runs[runs[column].notna() & runs["seed"].notna()]
    by_seed = scored[column].groupby(scored["seed"].astype(int)).mean()
    scores = {int(str(seed)): float(score) for seed, score in by_seed.items()}
    troubled = runs[~runs["status"].eq("done")]["status"].value_counts()
    means = {str(name): float(mean) for name, mean in scored[list(MEANS)].mean().dropna().items()}
    failures = {str(status): int(count) for status, count in troubled.items()}
    ended = solve_rates.ended(runs)["solved_step"]
    return Ranked(
        group,
        interval(list(scores.values())),
        scores,
        len(runs),
        failures,
        None,
        None,
        len(scored) - len(scores),
        [None if pd.isna(step) else float(step) for step in ended],
        means,
    )


def thresholds(ranking: Ranking) -> list[float]:
    """Perplexities to time: the baselines, then 1.5 and 1.1 times the best mean, where they are harder."""
    part, groups = ranking
    best = next((g.score.mean for g in groups if g.score and math.isfinite(g.score.mean)), None)
    if part.by_accuracy or best is None:
        return []
    baselines = [part.runs[name].dropna() for name in ("unigram", "bigram")]
    wanted = [float(values.iloc[0]) for values in baselines if len(values)] + [1.5 * best, 1.1 * best]
    return sorted({round(value, 1) for value in wanted if value > best}, reverse=True)


def seconds_to(part: ComparableRuns, epochs: pd.DataFrame, perplexities: Sequence[float]) -> pd.DataFrame:
    """(group, perplexity): mean seconds until an evaluation was at least as good, runs that were, of runs."""
    runs = part.runs.set_index("run")["group"]
    own = epochs[epochs["run"].isin(runs.index)]
    tables = []
    for wanted in perplexities:
        first = own[own["dev_perplexity"] <= wanted].groupby("run")["seconds"].min()
        by_group = first.groupby(runs.reindex(first.index))
        told = pd.DataFrame({"seconds": by_group.mean(), "reached": by_group.size()})
        told = told.reindex(sorted(set(runs))).rename_axis("group").reset_index()
        tables.append(told.assign(perplexity=wanted, runs=told["group"].map(runs.value_counts())))
    columns = ["group", "perplexity", "seconds", "reached", "runs"]
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return found.assign(reached=found["reached"].fillna(0).astype(int))[columns]
