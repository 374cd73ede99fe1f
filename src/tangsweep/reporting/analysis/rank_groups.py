"""Rank the groups of comparable runs over the seeds that they share, with intervals and tests."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tangsweep.reporting.analysis.ranking import (
    AVERAGED_COLUMNS,
    FAILURES,
    RankedGroup,
    Ranking,
    solvable_runs,
)
from tangsweep.reporting.analysis.sampling import sample_loss
from tangsweep.reporting.analysis.scored_documents import ScoredDocuments
from tangsweep.reporting.analysis.statistics import (
    GroupTests,
    TextVariances,
    compare_groups,
    confidence_interval,
    paired_difference,
)
from tangsweep.reporting.data.comparability import ComparableRuns


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
