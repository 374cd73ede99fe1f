"""The head of a report: question, answer with its uncertainty, warnings, and facts about the sweep."""

from collections.abc import Sequence

from tangsweep.config.overrides import DATA_GROUPS, varied_keys, varied_values
from tangsweep.reporting.analysis.ranking import RankedGroup, Ranking
from tangsweep.reporting.analysis.sampling import advise
from tangsweep.reporting.analysis.statistics import SIGNIFICANCE_LEVEL
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.compared_values import named_comparison
from tangsweep.reporting.data.groups import differing_keys
from tangsweep.reporting.formatting import (
    format_names,
    format_p_value,
)
from tangsweep.reporting.text.group_scores import describe_score_and_runs
from tangsweep.reporting.text.headline import is_better, outcomes

NUMBERED = ("order_seed",)  # keys without a dot that are numbers, and nothing to choose from
MORE_SEEDS = "add some (seed=0,1,2,3,4)"
NO_TEST = "paired differences are zero, constant or infinite, so there is no test"
POOLED_METHOD = "Tukey's test for all pairs of groups, with one variance"
SEPARATE_METHOD = "paired t-tests, Bonferroni-corrected for all pairs, because the groups' spreads differ"
PAIRED_METHOD = "paired t-test"


def sweep_question(data: SweepData) -> str:
    """Return the question that the sweep's config asks, or else what was varied."""
    questions = [str(q) for config in data.configs.values() if (q := config.get("sweep.question"))]
    if questions:
        return " ".join(dict.fromkeys(questions))
    overrides = {run: varied_values(record.overrides or []) for run, record in data.records.items()}
    keys = varied_keys(list(overrides.values()), named_comparison(list(overrides), data.configs))
    if not keys.compared:
        keys = keys._replace(compared=differing_keys(list(overrides.values())))
    if not keys.compared:
        return "How does this run do?"
    if all("." not in key and key not in (*DATA_GROUPS, *NUMBERED) for key in keys.compared):
        tuned = f", each at its best {_and(keys.tuned)}" if keys.tuned else ""
        return f"Which {_and(keys.compared)} is best{tuned}?"
    names = [*keys.compared, *keys.tuned]
    return f"What {'do' if len(names) > 1 else 'does'} {_and(names)} change?"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def ranking_answer(ranking: Ranking) -> list[str]:
    """Return sentences on one ranking: which group is best, how certain that is, what was not compared."""
    comparable, groups = ranking.comparable, ranking.groups
    first = groups[0]
    if first.score is None:
        return ["No run has a score yet."]
    if len(groups) == 1:
        return [f"{first.name}: {describe_score_and_runs(ranking, first)}."]
    score = describe_score_and_runs(ranking, first)
    sentences = [f"{first.name} {_place(ranking)}: {score}. {_describe_second(ranking)}."]
    if not first.compared and not first.solved_steps:
        sentences = ["No group can be called best: none has all of its runs, or they share no seed."]
    elif comparable.by_accuracy:
        sentences.append(_compare_accuracies(first, [group for group in groups[1:] if group.scores]))
    else:
        sentences += _describe_tests(ranking)
    return sentences + _describe_not_compared(groups)


def _place(ranking: Ranking) -> str:
    """Return how the first group's place may be called: with one seed it is not ahead of others."""
    if _is_best(ranking):
        return "is best"
    if ranking.ahead_uncompared:
        return "comes first of those that share their seeds"
    return "comes first" if ranking.comparable.by_accuracy else "has the lowest score"


def _is_best(ranking: Ranking) -> bool:
    """Return whether the first group may be called best: it is better than every other compared group."""
    if ranking.comparable.by_accuracy:
        return is_better(ranking.groups[0], ranking.groups[1:])
    return ranking.has_winner


def _describe_second(ranking: Ranking) -> str:
    best, second = ranking.groups[:2]
    if second.score is None:
        return f"It is the only one of {len(ranking.groups)} groups with a score"
    assert best.score is not None
    is_equal = second.score.mean == best.score.mean
    if ranking.comparable.by_accuracy:
        is_equal = sorted(outcomes(second)) == sorted(outcomes(best))
    place = "Just as good is" if is_equal else "Next is"
    return f"{place} {second.name}: {describe_score_and_runs(ranking, second)}"


def _describe_tests(ranking: Ranking) -> list[str]:
    """Describe the tests of the first group against the other compared groups."""
    tests, others = ranking.tests, [group for group in ranking.groups[1:] if group.compared]
    if not others:
        return ["No other group can be compared with it."]
    if len(ranking.seeds) < 2:
        return [f"One seed says nothing about other seeds, so there is no test; {MORE_SEEDS}."]
    if tests is None:
        return [f"It is not tested against {format_names([group.name for group in others])}: {NO_TEST}."]
    better = [g.name for g in others if g.is_worse]
    disputed = [g.name for g in others if not g.is_worse and g.p is not None and g.p < SIGNIFICANCE_LEVEL]
    similar = [g.name for g in others if g.name not in (*better, *disputed)]
    against_next = ""
    if ranking.has_winner:
        rest = "" if len(others) == len(ranking.groups) - 1 else " compared"
        result = f"better than every other{rest} group"
        against_next = f"; p of the next: {format_p_value(others[0].p)}"
    else:
        parts = [f"better than {format_names(better)}"] if better else []
        parts += [f"not significantly different from {format_names(similar)}"] if similar else []
        if disputed:
            parts.append(
                f"not told from {format_names(disputed)}, whose p is below the level but whose own interval "
                "of the difference reaches 0"
            )
        result = "; ".join(parts)
    method = POOLED_METHOD if tests.pooled else PAIRED_METHOD if len(others) == 1 else SEPARATE_METHOD
    tested = (
        f"Over {_tested_on(ranking)} it is {result} ({method}{against_next}; level {SIGNIFICANCE_LEVEL:g})."
    )
    advice = [] if ranking.groups[1].is_worse else _advise(ranking.groups[1])
    return [tested, *advice]


def _tested_on(ranking: Ranking) -> str:
    seeds = f"the seeds {', '.join(map(str, ranking.seeds))}"
    if ranking.text is None:
        return seeds
    units = ranking.text.units
    authors = f" by {units.units:,} {units.kind}" if units.kind != "documents" else ""
    return f"{seeds} and {len(units.characters):,} documents{authors}"


def _advise(second: RankedGroup) -> list[str]:
    """Say how much more would settle the difference to the second group."""
    advice = advise(second.difference_sample) if second.difference_sample else None
    if advice is None:
        return []
    condition = "if the difference and the spread stay as they are"
    if advice.seeds is not None:
        effect = f"would tell it from {second.name} in half of all cases"
        return [f"About {advice.seeds:,} seeds a group {effect}, {condition}."]
    more = f"at least {advice.documents_factor:.1f} times as many documents are needed"
    return [f"No number of seeds would tell it from {second.name}: {more}, {condition}."]


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
