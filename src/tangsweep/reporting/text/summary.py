"""The head of a report: question, answer with its uncertainty, warnings, and facts about the sweep."""

from collections.abc import Sequence

import pandas as pd

from tangsweep.config.overrides import varied_values
from tangsweep.reporting.analysis.ranking import RankedGroup, Ranking
from tangsweep.reporting.analysis.statistics import SIGNIFICANCE_LEVEL
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.groups import differing_keys
from tangsweep.reporting.formatting import (
    format_group_score,
    format_names,
    format_p_value,
    format_quantity,
    format_statuses,
)
from tangsweep.runs.state import ENDED, State

MORE_SEEDS = "add some (seed=0,1,2,3,4)"
NO_TEST = "paired differences are zero, constant or infinite, so there is no test"
POOLED_METHOD = "Tukey's test for all pairs of groups, with one variance"
SEPARATE_METHOD = "paired t-tests, Bonferroni-corrected for all pairs, because the groups' spreads differ"
PAIRED_METHOD = "paired t-test"
UNFINISHED = [state.value for state in State if state not in (*ENDED, State.FAILED)]


def sweep_question(data: SweepData) -> str:
    """Return the question that the sweep's config asks, or else what was varied."""
    questions = [str(q) for config in data.configs.values() if (q := config.get("sweep.question"))]
    if questions:
        return " ".join(dict.fromkeys(questions))
    keys = differing_keys([varied_values(record.overrides or []) for record in data.records.values()])
    if not keys:
        return "How does this run do?"
    all_but_last = ", ".join(keys[:-1]) + " and " if len(keys) > 1 else ""
    return f"What {'do' if all_but_last else 'does'} {all_but_last}{keys[-1]} change?"


def ranking_answer(ranking: Ranking) -> list[str]:
    """Return sentences on one ranking: which group is best, how certain that is, what was not compared."""
    comparable, groups = ranking.comparable, ranking.groups
    first = groups[0]
    if first.score is None:
        return ["No run has a score yet."]
    if len(groups) == 1:
        return [f"{first.name}: {_describe_score(comparable, first)}."]
    place = "is best" if _is_best(ranking) else "comes first"
    sentences = [
        f"{first.name} {place}: {_describe_score(comparable, first)}. {_describe_second(comparable, groups)}."
    ]
    if not first.compared and not first.solved_steps:
        sentences = ["No group can be called best: none has all of its runs, or they share no seed."]
    elif comparable.by_accuracy:
        sentences.append(_compare_accuracies(first, [group for group in groups[1:] if group.scores]))
    else:
        sentences.append(_describe_tests(ranking))
    return sentences + _describe_not_compared(groups)


def _is_best(ranking: Ranking) -> bool:
    """Return whether the first group may be called best: it is better than every other compared group."""
    if ranking.comparable.by_accuracy:
        return True  # described by counts and ranges, without a test
    compared = [group for group in ranking.groups if group.compared]
    only_rival = len(compared) == 1 and all(group.score is None for group in ranking.groups[1:])
    return only_rival or (ranking.tests is not None and ranking.tests.p_best < SIGNIFICANCE_LEVEL)


def _describe_score(comparable: ComparableRuns, group: RankedGroup) -> str:
    """Return the mean score, over how many seeds, and the statuses of the group's other runs."""
    assert group.score is not None
    metric = "accuracy" if comparable.by_accuracy else "development perplexity"
    score = f"{metric} {format_group_score(group, comparable.metric)}"
    if group.solved_steps:
        solved = sum(step is not None for step in group.solved_steps)
        score = f"solved by {solved} of {len(group.solved_steps)} runs, {score}"
    seeds = f"{group.score.n} seeds" if group.score.n > 1 else "one seed"
    if group.other_statuses:
        seeds += f"; of {group.run_count} runs {format_statuses(group.other_statuses)}"
    return f"{score} ({seeds})"


def _describe_second(comparable: ComparableRuns, groups: Sequence[RankedGroup]) -> str:
    best, second = groups[:2]
    if second.score is None:
        return f"It is the only one of {len(groups)} groups with a score"
    assert best.score is not None
    place = "Just as good is" if second.score.mean == best.score.mean else "Next is"
    return f"{place} {second.name}: {_describe_score(comparable, second)}"


def _describe_tests(ranking: Ranking) -> str:
    """Describe the tests of the first group against the other compared groups."""
    tests, others = ranking.tests, [group for group in ranking.groups[1:] if group.compared]
    if not others:
        return "No other group can be compared with it."
    if len(ranking.seeds) < 2:
        return f"There are too few seeds for a significance test; {MORE_SEEDS}."
    if tests is None:
        return f"It is not tested against {format_names([group.name for group in others])}: {NO_TEST}."
    better = [g.name for g in others if g.p is not None and g.p < SIGNIFICANCE_LEVEL]
    similar = [g.name for g in others if g.name not in better]
    against_next = ""
    if tests.p_best < SIGNIFICANCE_LEVEL:
        result = (
            f"better than every other{'' if len(others) == len(ranking.groups) - 1 else ' compared'} group"
        )
        against_next = f"; p of the next: {format_p_value(tests.p_best)}"
    else:
        parts = [f"better than {format_names(better)}"] if better else []
        parts += [f"not significantly different from {format_names(similar)}"] if similar else []
        result = "; ".join(parts)
    method = POOLED_METHOD if tests.pooled else PAIRED_METHOD if len(others) == 1 else SEPARATE_METHOD
    seeds = ", ".join(map(str, ranking.seeds))
    return f"Over the seeds {seeds} it is {result} ({method}{against_next}; level {SIGNIFICANCE_LEVEL:g})."


def _describe_not_compared(groups: Sequence[RankedGroup]) -> list[str]:
    """Say why groups with a score are not compared, and which seeds of the others were left out."""
    failed = [g.name for g in groups if g.score and g.failures]
    lacking = [g.name for g in groups if g.score and not g.failures and not g.compared]
    extra = [g.name for g in groups if g.extra_seeds]
    sentences = []
    if failed:
        sentences.append(f"Not compared, because some runs failed or diverged: {format_names(failed)}.")
    if lacking:
        sentences.append(f"Not compared, because seeds are missing: {format_names(lacking)}.")
    if extra:
        sentences.append(f"Seeds that not every compared group has are left out: of {format_names(extra)}.")
    return sentences


def _compare_accuracies(best: RankedGroup, others: Sequence[RankedGroup]) -> str:
    """Compare ranges over seeds: accuracies are often all or nothing, so there is no t-test."""
    if len(best.scores) < 2:
        return f"Only one of its seeds ended, which says nothing about the spread; {MORE_SEEDS}."
    lowest = min(best.scores.values())
    below = [group.name for group in others if max(group.scores.values()) < lowest]
    overlapping = [group.name for group in others if max(group.scores.values()) >= lowest]
    results = [f"better than every seed of {format_names(below)}"] if below else []
    results += [f"not better than the best seed of {format_names(overlapping)}"] if overlapping else []
    return f"Its worst seed is {', but '.join(results)} (no t-test: accuracies are often all or nothing)."


def report_warnings(data: SweepData, rankings: Sequence[Ranking]) -> list[str]:
    """Return the warnings that concern the whole report; sections add their own."""
    runs = data.runs
    warnings = []
    if (runs["corpus"] == "sample").any():
        warnings.append("The corpus is the bundled sample of 120 poems written for this project, NOT 全唐诗.")
    if len(rankings) > 1:
        warnings.append(
            f"Runs were scored on {len(rankings)} different texts, splits, vocabularies or tasks: "
            "each has its own ranking, and figures of different rankings cannot be compared."
        )
    warnings += _missing_runs(data) + _bad_statuses(runs)
    commits = runs["commit"].dropna().unique()
    if len(commits) > 1:
        warnings.append(f"Runs come from {len(commits)} commits ({', '.join(c[:8] for c in commits)}).")
    if runs["dirty"].eq(True).any():
        warnings.append(f"{int(runs['dirty'].eq(True).sum())} runs were made with uncommitted changes.")
    if (runs["verified"].eq(False)).any():
        warnings.append("The corpus is not the published edition: its checksums differ.")
    groups = [group for ranking in rankings for group in ranking.groups]
    warnings += _single_seeds([group for group in groups if group.scores])
    repeated = sum(group.repeated_seeds for group in groups)
    if repeated:
        warnings.append(
            f"{repeated} runs have the seed of another run of their group: the runs of a seed are averaged."
        )
    if data.unreadable:
        warnings.append(
            f"{len(data.unreadable)} files could not be read in whole or in part: see the last section."
        )
    return warnings


def _missing_runs(data: SweepData) -> list[str]:
    """Warn of runs that a command named and that have no folder."""
    present = data.runs["sweep"].value_counts()
    expected: dict[str, int] = {}
    for command in data.commands:
        expected[command.sweep] = max(expected.get(command.sweep, 0), command.runs)
    missing = {sweep: count - int(present.get(sweep, 0)) for sweep, count in expected.items()}
    return [
        f"{count} of the {expected[sweep]} runs that a command started in {sweep} are missing."
        for sweep, count in missing.items()
        if count > 0
    ]


def _single_seeds(scored: Sequence[RankedGroup]) -> list[str]:
    single = [group.name for group in scored if len(group.scores) == 1]
    if not single:
        return []
    if len(single) == len(scored):
        return ["There is only one seed per group: no difference can be distinguished from chance."]
    return [f"Groups with only one seed, whose differences may be chance: {format_names(single)}."]


def _bad_statuses(runs: pd.DataFrame) -> list[str]:
    counts = runs["status"].value_counts()
    warnings = [
        f"{counts[status]} of {len(runs)} runs {status}."
        for status in ("failed", "diverged")
        if status in counts
    ]
    unfinished = {status: int(counts[status]) for status in UNFINISHED if status in counts}
    if unfinished:
        statuses = format_statuses(unfinished)
        warnings.append(f"{sum(unfinished.values())} of {len(runs)} runs have not ended ({statuses}).")
    return warnings


def sweep_facts(data: SweepData) -> list[tuple[str, str]]:
    """Return names and values of the facts that a reader needs before the figures."""
    runs = data.runs
    statuses = {str(status): int(count) for status, count in runs["status"].value_counts().items()}
    seeds = sorted({int(seed) for seed in runs["seed"].dropna()})
    corpus_columns = ["corpus", "corpus_fingerprint", "train_characters", "dev_characters"]
    corpora = [_describe_corpus(run) for _, run in runs.drop_duplicates(corpus_columns).iterrows()]
    finished = runs["finished"].dropna()
    seconds = float(pd.to_numeric(runs["seconds"], errors="coerce").sum())
    return [
        ("corpus", "; ".join(corpus for corpus in corpora if corpus) or "unknown"),
        ("runs", f"{len(runs)} ({format_statuses(statuses)}) in {runs['group'].nunique()} groups"),
        ("seeds", ", ".join(map(str, seeds)) or "none"),
        ("commit", ", ".join(commit[:12] for commit in _distinct(runs["commit"])) or "unknown"),
        ("machine", "; ".join(_distinct(runs["machine"])) or "not recorded"),
        ("ended", f"{finished.min()} to {finished.max()}" if len(finished) else "not recorded"),
        ("training time", f"{format_quantity(round(seconds))} s over all runs"),
        ("versions", ", ".join(f"{k} {v}" for k in ("python", "torch") for v in _distinct(runs[k]))),
    ]


def _describe_corpus(run: pd.Series) -> str:
    if pd.isna(run["corpus"]):
        return ""
    fingerprint = "" if pd.isna(run["corpus_fingerprint"]) else f" ({run['corpus_fingerprint']})"
    counts = [(run["train_characters"], "training"), (run["dev_characters"], "held-out")]
    sizes = [f"{format_quantity(count)} {side}" for count, side in counts if pd.notna(count)]
    return f"{run['corpus']}{fingerprint}" + (f": {' and '.join(sizes)} characters" if sizes else "")


def _distinct(values: pd.Series) -> list[str]:
    return [str(value) for value in values.dropna().unique()]
