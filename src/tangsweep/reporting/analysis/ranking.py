"""Rank the groups of comparable runs over the seeds that they share, with intervals and tests."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tangsweep.reporting.analysis.statistics import (
    GroupTests,
    Interval,
    compare_groups,
    confidence_interval,
    paired_difference,
)
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.runs.state import ENDED, State

FAILURES = (State.FAILED.value, State.DIVERGED.value)

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
    scores: dict[int, float]  # by seed, of the runs that have one; of compared groups, the shared seeds
    extra_seeds: list[int]  # with a score, but not shared by all compared groups: not used
    failures: int  # runs that failed or diverged
    compared: bool  # has no failure, and enough seeds that others have as well
    run_count: int
    other_statuses: dict[str, int]  # status → number of runs, of those that are not `done`
    difference: Interval | None  # to the first group, seed by seed
    p: float | None  # that it differs from the first group; for all pairs of compared groups together
    repeated_seeds: int  # runs beyond the first of each seed
    # Of the ended runs of a solvable task: the step at which it was solved, None where it was not.
    solved_steps: list[float | None]
    means: dict[str, float]  # of AVERAGED_COLUMNS over the runs with a score, where one has a value


class Ranking(NamedTuple):
    """Comparable runs and their groups: compared groups with the best first, then the others."""

    comparable: ComparableRuns
    groups: list[RankedGroup]
    seeds: list[int]  # that all compared groups have
    tests: GroupTests | None  # of the first group against the other compared ones


class Threshold(NamedTuple):
    """A perplexity that runs are timed to reach, and what it stands for."""

    perplexity: float
    meaning: str


def rank_groups(comparable: ComparableRuns) -> Ranking:
    """Rank groups over the seeds that all of them have; of solvable tasks, by how often and how soon.

    A group with a run that failed or diverged is not compared and stands behind those that are: its scores
    are those of survivors. So does a group that has too few seeds in common with the others.
    """
    runs = comparable.runs
    runs = runs.assign(gap=_as_floats(runs["dev_loss"]) - _as_floats(runs["train_loss"]))
    columns = [comparable.score_column, *AVERAGED_COLUMNS]
    runs[columns] = runs[columns].apply(_as_floats)
    by_group = {str(name): rows for name, rows in runs.groupby("group")}
    seeds_of = {name: _scored_seeds(rows, comparable) for name, rows in by_group.items()}
    sound = {name: seeds for name, seeds in seeds_of.items() if seeds and not _failures(by_group[name])}
    shared = _shared_seeds(sound)
    groups = [
        _summarize_group(name, rows, comparable, shared if name in sound and shared <= sound[name] else None)
        for name, rows in by_group.items()
    ]
    ordered = sorted(groups, key=lambda group: _sort_key(group, comparable))
    first = ordered[0]
    differences = [paired_difference(g.scores, first.scores) if g.compared else None for g in ordered[1:]]
    tests = None if comparable.by_accuracy else _test_groups([g for g in ordered if g.compared])
    p_values = iter(tests.p_values if tests else [])
    others = [
        group._replace(difference=difference, p=next(p_values, None) if group.compared else None)
        for group, difference in zip(ordered[1:], differences, strict=True)
    ]
    return Ranking(comparable, [first, *others], sorted(shared), tests)


def _scored_seeds(runs: pd.DataFrame, comparable: ComparableRuns) -> set[int]:
    scored = runs[runs[comparable.score_column].notna() & runs["seed"].notna()]
    return {int(seed) for seed in scored["seed"]}


def _failures(runs: pd.DataFrame) -> int:
    return int(runs["status"].isin(FAILURES).sum())


def _shared_seeds(seeds_of: Mapping[str, set[int]]) -> set[int]:
    """Return the seeds that all groups have; those with the fewest are left out while that is under two."""
    groups = sorted(seeds_of.values(), key=len, reverse=True)
    while groups:
        shared = set.intersection(*groups)
        if len(shared) >= min(2, len(groups[0])):
            return shared
        groups.pop()
    return set()


def _test_groups(compared: Sequence[RankedGroup]) -> GroupTests | None:
    if len(compared) < 2:
        return None
    return compare_groups(np.array([[g.scores[seed] for seed in sorted(g.scores)] for g in compared]))


def _sort_key(group: RankedGroup, comparable: ComparableRuns) -> tuple[object, ...]:
    steps = [step for step in group.solved_steps if step is not None]
    solved_share = len(steps) / len(group.solved_steps) if group.solved_steps else 0.0
    mean_step = sum(steps) / len(steps) if steps else math.inf
    failed_share = 0.0 if group.compared else group.failures / group.run_count
    score = comparable.metric.sort_key(group.score.mean) if group.score else 0.0
    is_solvable = bool(group.solved_steps)  # there, failures count as not solved
    rank = (not group.compared, failed_share) if not is_solvable else (False, 0.0)
    return group.score is None, -solved_share, *rank, mean_step, score, group.name


def _as_floats(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype(float)


def _summarize_group(
    name: str, runs: pd.DataFrame, comparable: ComparableRuns, shared: set[int] | None
) -> RankedGroup:
    """Summarize the runs of a group; of a compared one, those of the `shared` seeds (None: not compared)."""
    scored = runs[runs[comparable.score_column].notna() & runs["seed"].notna()]
    extra = sorted(_scored_seeds(runs, comparable) - shared) if shared is not None else []
    scored = scored[~scored["seed"].isin(extra)]
    by_seed = scored[comparable.score_column].groupby(scored["seed"].astype(int)).mean()
    scores = {int(str(seed)): float(score) for seed, score in by_seed.items()}
    statuses = runs.loc[~runs["status"].eq("done"), "status"].value_counts()
    means = scored[list(AVERAGED_COLUMNS)].mean().dropna()
    return RankedGroup(
        name=name,
        score=confidence_interval(list(scores.values())),
        scores=scores,
        extra_seeds=extra,
        failures=_failures(runs),
        compared=shared is not None,
        run_count=len(runs),
        other_statuses={str(status): int(count) for status, count in statuses.items()},
        difference=None,
        p=None,
        repeated_seeds=len(scored) - len(scores),
        solved_steps=[None if pd.isna(step) else float(step) for step in solvable_runs(runs)["solved_step"]],
        means={str(column): float(mean) for column, mean in means.items()},
    )


def solvable_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of tasks that can be solved, which are those with a length, that ended or failed."""
    return runs[runs["length"].notna() & runs["status"].isin([*ENDED, State.FAILED.value])]


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
