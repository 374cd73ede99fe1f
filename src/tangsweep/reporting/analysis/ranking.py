"""Rank the groups of comparable runs over the seeds that they share, with intervals and tests."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tangsweep.reporting.analysis.sampling import LossSample, sample_loss
from tangsweep.reporting.analysis.scored_documents import ScoredDocuments
from tangsweep.reporting.analysis.statistics import (
    GroupTests,
    Interval,
    TextVariances,
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
    "test_perplexity", "test_known_perplexity", "test_oov_loss", "test_bits_per_character",
    "dev_perplexity", "dev_known_perplexity", "dev_oov_loss", "dev_bits_per_character",
    "train_perplexity", "last_train_perplexity", "last_dev_perplexity", "gap", "dev_loss", "best_epoch",
    "characters_per_second", "seconds", "steps", "solved_step", "last_dev_accuracy", *PERPLEXITY_VARIANTS,
    *POEM_QUALITY,
)  # fmt: skip


class RankedGroup(NamedTuple):
    """One group of a ranking; a seed that several of its runs have counts once, with their mean score.

    Scores and differences are accuracies, or losses in nats per character.
    """

    name: str
    score: Interval | None  # over other seeds, on the same text
    scores: dict[int, float]  # by seed, of the runs that have one; of compared groups, the shared seeds
    sample: LossSample | None  # the score, as a statement about other seeds and other texts
    extra_seeds: list[int]  # with a score, but not shared by all compared groups: not used
    failures: int  # runs that failed or diverged
    compared: bool  # has no failure, and enough seeds that others have as well
    run_count: int
    other_statuses: dict[str, int]  # status → number of runs, of those that are not `done`
    difference: Interval | None  # to the first group, seed by seed
    difference_sample: LossSample | None  # the same, seed by seed and document by document
    p: float | None  # that it differs from the first group; for all pairs of compared groups together
    repeated_seeds: int  # runs beyond the first of each seed
    # Of the ended runs of a solvable task: the step at which it was solved, None where it was not.
    solved_steps: list[float | None]
    means: dict[str, float]  # of AVERAGED_COLUMNS over the runs with a score, where one has a value

    @property
    def interval(self) -> Interval | None:
        """The score over other seeds and other texts; over other seeds where no documents were kept."""
        return self.score if self.sample is None or self.sample.interval is None else self.sample.interval

    @property
    def difference_interval(self) -> Interval | None:
        """The difference to the first group, over the same as `interval`."""
        sample = self.difference_sample
        return self.difference if sample is None or sample.interval is None else sample.interval


class Ranking(NamedTuple):
    """Comparable runs and their groups: compared groups with the best first, then the others."""

    comparable: ComparableRuns
    groups: list[RankedGroup]
    text: ScoredDocuments | None  # the documents that were scored, where every run has kept their nats
    seeds: list[int]  # that all compared groups have
    tests: GroupTests | None  # of the first group against the other compared ones


def rank_groups(comparable: ComparableRuns, text: ScoredDocuments | None = None) -> Ranking:
    """Rank groups over the seeds that all of them have; of solvable tasks, by how often and how soon.

    A group with a run that failed or diverged is not compared and stands behind those that are: its scores
    are those of survivors. So does a group that has too few seeds in common with the others.
    """
    runs = comparable.runs
    runs = runs.assign(gap=_as_floats(runs["dev_loss"]) - _as_floats(runs["train_loss"]))
    columns = list(dict.fromkeys([comparable.score_column, *AVERAGED_COLUMNS]))
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
    if text is not None:
        nats = {group.name: _nats_by_seed(by_group[group.name], group, text) for group in ordered}
        ordered = [_sample_group(group, nats, text, ordered[0]) for group in ordered]
    first = ordered[0]
    differences = [paired_difference(g.scores, first.scores) if g.compared else None for g in ordered[1:]]
    tests = None if comparable.by_accuracy else _test_groups([g for g in ordered if g.compared])
    p_values = iter(tests.p_values if tests else [])
    others = [
        group._replace(difference=difference, p=next(p_values, None) if group.compared else None)
        for group, difference in zip(ordered[1:], differences, strict=True)
    ]
    return Ranking(comparable, [first, *others], text, sorted(shared), tests)


def _nats_by_seed(runs: pd.DataFrame, group: RankedGroup, text: ScoredDocuments) -> np.ndarray:
    """Return (seeds, documents) nats of a group, in its scores' order; runs of one seed are averaged."""
    seeds = runs["seed"].astype(float)
    return np.array(
        [
            np.mean([text.nats[run] for run in runs.loc[seeds == seed, "run"] if run in text.nats], axis=0)
            for seed in group.scores
        ]
    )


def _sample_group(
    group: RankedGroup, nats: Mapping[str, np.ndarray], text: ScoredDocuments, first: RankedGroup
) -> RankedGroup:
    """Add what other texts would change in the group's score and in its difference to the first group."""
    if not group.scores:
        return group
    group = group._replace(sample=sample_loss(nats[group.name], text.units))
    if group.name == first.name or not (group.compared and first.compared):
        return group
    return group._replace(difference_sample=sample_loss(nats[group.name] - nats[first.name], text.units))


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
    samples = [group.difference_sample for group in compared[1:]]
    variances = [sample.text_variance for sample in samples if sample]
    text = None
    if len(variances) == len(samples) and np.isfinite(variances).all() and samples[0]:
        text = TextVariances(np.array(variances), samples[0].units - 1)
    scores = np.array([[group.scores[seed] for seed in sorted(group.scores)] for group in compared])
    return compare_groups(scores, text)


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
    by_seed: dict[int, list[float]] = {}
    for seed, score in sorted(zip(scored["seed"].astype(int), scored[comparable.score_column], strict=True)):
        by_seed.setdefault(seed, []).append(score)
    scores = {seed: float(np.mean(of_seed)) for seed, of_seed in by_seed.items()}
    statuses = Counter(status for status in runs["status"] if status != "done")
    return RankedGroup(
        name=name,
        score=confidence_interval(list(scores.values())),
        scores=scores,
        extra_seeds=extra,
        failures=_failures(runs),
        compared=shared is not None,
        run_count=len(runs),
        other_statuses={str(status): count for status, count in statuses.most_common()},
        sample=None,
        difference=None,
        difference_sample=None,
        p=None,
        repeated_seeds=len(scored) - len(scores),
        solved_steps=[None if pd.isna(step) else float(step) for step in solvable_runs(runs)["solved_step"]],
        means=_column_means(scored),
    )


def _column_means(runs: pd.DataFrame) -> dict[str, float]:
    """Return the means of AVERAGED_COLUMNS, of those that have a value; pandas takes ten times as long."""
    numbers = runs[list(AVERAGED_COLUMNS)].to_numpy(float)
    counts, sums = (~np.isnan(numbers)).sum(axis=0), np.nansum(numbers, axis=0)
    return {
        column: float(total / count)
        for column, total, count in zip(AVERAGED_COLUMNS, sums, counts, strict=True)
        if count
    }


def solvable_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of tasks that can be solved, which are those with a length, that ended or failed."""
    return runs[runs["length"].notna() & runs["status"].isin([*ENDED, State.FAILED.value])]


def best_runs(ranking: Ranking) -> dict[str, str]:
    """Return the run with the best development score of each group, groups in the ranking's order."""
    comparable, column = ranking.comparable, ranking.comparable.chosen_by
    ascending = comparable.metric.lower_is_better
    best = {}
    for group in ranking.groups:
        runs = comparable.runs[(comparable.runs["group"] == group.name) & comparable.runs[column].notna()]
        if len(runs):
            best[group.name] = str(runs.sort_values(column, ascending=ascending).iloc[0]["run"])
    return best
