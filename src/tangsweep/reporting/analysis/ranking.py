"""Rank the groups of comparable runs, with intervals and paired tests over seeds."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from tangsweep.reporting.analysis.statistics import (
    Interval,
    PairedDifference,
    confidence_interval,
    holm_correction,
    paired_difference,
)
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.runs.state import ENDED

PERPLEXITY_VARIANTS = (
    "dev_perplexity_padded", "dev_perplexity_mean_over_sentences", "dev_perplexity_oov_charged",
)  # fmt: skip
POEM_QUALITY = (
    "right_lines", "free_rhyme", "free_tones", "constrained_rhyme", "constrained_tones", "free_distinct_1",
    "free_distinct_2", "free_distinct_3", "free_longest_copy", "free_copied_line",
)  # fmt: skip
AVERAGED_COLUMNS = (
    "dev_bits_per_character", "train_perplexity", "last_train_perplexity", "last_dev_perplexity", "gap",
    "dev_loss", "best_epoch", "characters_per_second", "seconds", "steps", "solved_step", "last_dev_accuracy",
    *PERPLEXITY_VARIANTS, *POEM_QUALITY,
)  # fmt: skip


class RankedGroup(NamedTuple):
    """One group of a ranking; a seed that several of its runs have counts once, with their mean score."""

    name: str
    score: Interval | None
    scores: dict[int, float]  # by seed, of the runs that have one
    run_count: int
    other_statuses: dict[str, int]  # status → number of runs, of those that are not `done`
    difference: PairedDifference | None  # to the best group
    p: float | None  # of the paired t-test, Holm-corrected
    repeated_seeds: int  # runs beyond the first of each seed
    # Of the ended runs of a solvable task: the step at which it was solved, None where it was not.
    solved_steps: list[float | None]
    means: dict[str, float]  # of AVERAGED_COLUMNS over the runs with a score, where one has a value


class Ranking(NamedTuple):
    """Comparable runs and their groups, best first."""

    comparable: ComparableRuns
    groups: list[RankedGroup]


class Threshold(NamedTuple):
    """A perplexity that runs are timed to reach, and what it stands for."""

    perplexity: float
    meaning: str


def rank_groups(comparable: ComparableRuns) -> Ranking:
    """Rank the best first and groups without a score last; of solvable tasks, by how often and how soon."""
    runs = comparable.runs
    runs = runs.assign(gap=_as_floats(runs["dev_loss"]) - _as_floats(runs["train_loss"]))
    columns = [comparable.score_column, *AVERAGED_COLUMNS]
    runs[columns] = runs[columns].apply(_as_floats)
    groups = [_summarize_group(str(name), rows, comparable) for name, rows in runs.groupby("group")]
    ordered = sorted(groups, key=lambda group: _sort_key(group, comparable))
    best = ordered[0].scores
    differences = [
        paired_difference(g.scores, best) if i and g.scores else None for i, g in enumerate(ordered)
    ]
    p_values = [None if comparable.by_accuracy or d is None else d.p for d in differences]
    results = zip(ordered, differences, holm_correction(p_values), strict=True)
    return Ranking(comparable, [group._replace(difference=d, p=p) for group, d, p in results])


def _sort_key(group: RankedGroup, comparable: ComparableRuns) -> tuple[bool, float, float, float, str]:
    steps = [step for step in group.solved_steps if step is not None]
    solved_share = len(steps) / len(group.solved_steps) if group.solved_steps else 0.0
    mean_step = sum(steps) / len(steps) if steps else math.inf
    score = comparable.metric.sort_key(group.score.mean) if group.score else 0.0
    return group.score is None, -solved_share, mean_step, score, group.name


def _as_floats(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype(float)


def _summarize_group(name: str, runs: pd.DataFrame, comparable: ComparableRuns) -> RankedGroup:
    scored = runs[runs[comparable.score_column].notna() & runs["seed"].notna()]
    by_seed = scored[comparable.score_column].groupby(scored["seed"].astype(int)).mean()
    scores = {int(str(seed)): float(score) for seed, score in by_seed.items()}
    statuses = runs.loc[~runs["status"].eq("done"), "status"].value_counts()
    means = scored[list(AVERAGED_COLUMNS)].mean().dropna()
    return RankedGroup(
        name=name,
        score=confidence_interval(list(scores.values())),
        scores=scores,
        run_count=len(runs),
        other_statuses={str(status): int(count) for status, count in statuses.items()},
        difference=None,
        p=None,
        repeated_seeds=len(scored) - len(scores),
        solved_steps=[None if pd.isna(step) else float(step) for step in solvable_runs(runs)["solved_step"]],
        means={str(column): float(mean) for column, mean in means.items()},
    )


def solvable_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the ended runs of tasks that can be solved, which are those with a length."""
    return runs[runs["length"].notna() & runs["status"].isin(ENDED)]


def best_runs(ranking: Ranking) -> dict[str, str]:
    """Return the run with the best score of each group, groups in the ranking's order."""
    comparable, column = ranking.comparable, ranking.comparable.score_column
    ascending = comparable.metric.lower_is_better
    best = {}
    for group in ranking.groups:
        runs = comparable.runs[(comparable.runs["group"] == group.name) & comparable.runs[column].notna()]
        if len(runs):
            best[group.name] = str(runs.sort_values(column, ascending=ascending).iloc[0]["run"])
    return best


def perplexity_thresholds(ranking: Ranking) -> list[Threshold]:
    """Return the thresholds that are worse than the best mean, with their names.

    Candidates are the unigram and bigram baselines, 1.5 and 1.1 times the best mean. The result is empty
    where accuracy ranks or no mean is finite.
    """
    runs, groups = ranking.comparable.runs, ranking.groups
    best = next((g.score.mean for g in groups if g.score and math.isfinite(g.score.mean)), None)
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

    Columns: group, perplexity, seconds (mean over the runs that reached it), reached (their number), runs.
    """
    groups = comparable.runs.set_index("run")["group"]
    epochs = epochs[epochs["run"].isin(groups.index)]
    tables = []
    for perplexity in perplexities:
        first = epochs[epochs["dev_perplexity"] <= perplexity].groupby("run")["seconds"].min()
        by_group = first.groupby(groups.reindex(first.index))
        times = pd.DataFrame({"seconds": by_group.mean(), "reached": by_group.size()})
        times = times.reindex(sorted(set(groups))).rename_axis("group").reset_index()
        tables.append(times.assign(perplexity=perplexity, runs=times["group"].map(groups.value_counts())))
    columns = ["group", "perplexity", "seconds", "reached", "runs"]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return table.assign(reached=table["reached"].fillna(0).astype(int))[columns]
