"""The comparison of tuned values as sentences and a table."""

import math
from collections.abc import Sequence

import pandas as pd

from tangsweep.reporting.analysis.ranking import RankedGroup
from tangsweep.reporting.analysis.tuning import TunedChoice, TunedComparison
from tangsweep.reporting.blocks import Section, Table
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.formatting import (
    MISSING,
    format_group_score,
    format_p_value,
    format_percent_difference,
    format_quantity,
    format_score_interval,
)
from tangsweep.reporting.text.ranking_table import score_heading
from tangsweep.reporting.text.summary import ranking_answer
from tangsweep.reporting.text.tables import ranking_rows

CHOICE = (
    "The setting with the lowest mean development loss over the seeds that choose, at the best epoch (over "
    "known characters where every run has that); settings with a failed or diverged run come behind."
)
LAST, FLATTERY = "the same at the last epoch", "flattery without other seeds"
AT_CHOICE, SEEDS = "development perplexity, choosing seeds", "seeds that judge"
AT_JUDGEMENT = "development perplexity, seeds that judge"
DEFAULT, GAIN = "perplexity of the default, choosing seeds", "gain over the default, choosing seeds"
DEFAULT_NOTE = (
    "The default setting is what conf/ gives without these overrides, – where it was not among those tried, "
    "∞ where a run of it failed or diverged. Its score, and how much lower the perplexity of the chosen "
    "setting is in percent, are over the seeds that choose, which flatters the gain."
)
TESTS = (
    "p covers seeds and texts and is corrected for all pairs; the interval of a difference is its own, not "
    "corrected."
)
OTHER_COLUMNS = (
    "Flattery: each seed in turn is left out, the others choose, and it judges; how much higher its test "
    "perplexity is than that of the choice of all, in percent; few seeds make it noisy, even negative, and "
    "0.0 says that leaving one out never changed the choice, not that there is no flattery."
)


def tuned_answer(tuned: TunedComparison) -> list[str]:
    """Return sentences: which value is best at its own setting, and what that rests on."""
    counts = {choice.candidates for choice in tuned.choices.values()}
    tried = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    first, *others = ranking_answer(tuned.ranking)
    return [
        f"Each at the setting that is the best of {tried} by mean development score: {first}",
        *others,
        _judged_by(tuned),
    ]


def _judged_by(tuned: TunedComparison) -> str:
    if tuned.is_confirmed:
        seeds = ", ".join(map(str, tuned.ranking.seeds))
        return f"The seeds {seeds}, which judge, took no part in the choice of settings."
    flattery = [
        f"{value} by {_percent_higher(choice.optimism)}"
        for value, choice in tuned.choices.items()
        if choice.optimism is not None
    ]
    measured = (
        f"measured by leaving out a seed at a time: {', '.join(flattery)}"
        if flattery
        else "which one seed cannot measure"
    )
    return (
        f"The same seeds chose the settings, which flatters the scores ({measured}); confirm.seeds=5,6,7,8,9 "
        "judges the chosen settings with others."
    )


def _percent_higher(difference: float | None) -> str:
    """Format a difference of losses as that of the perplexities."""
    return _percent(None if difference is None else math.expm1(difference))


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{100 * share:.1f} %".replace("-", "−")


def tuned_section(tuned: TunedComparison) -> Section:
    """Return the table of tuned values."""
    comparable = tuned.ranking.comparable
    headings = [
        "group", "setting chosen", "settings tried", score_heading(comparable), "95 % interval",
        "difference to the first", "p (corrected)", SEEDS, AT_CHOICE, AT_JUDGEMENT, LAST,
        FLATTERY,
        f"{comparable.set_name} {DEFAULT}", GAIN,
    ]  # fmt: skip
    rows = [_row(tuned, group) for group in tuned.ranking.groups]
    others = "Seeds that took no part in the choice judge it."
    sentences = [CHOICE, others if tuned.is_confirmed else "The same seeds judge it.", TESTS, OTHER_COLUMNS]
    if any(choice.default for choice in tuned.choices.values()):
        sentences.append(DEFAULT_NOTE)
    explanations = {
        GAIN: "How much lower the perplexity of the chosen setting is, with the seeds that choose.",
        AT_JUDGEMENT: "Of the same development texts. It is higher than with the seeds that choose by what "
        "those were luckier; where the same seeds judge, the two are equal.",
    }
    optional = frozenset({SEEDS, AT_CHOICE, AT_JUDGEMENT, LAST, *([FLATTERY] if tuned.is_confirmed else [])})
    note = " ".join(sentences)
    table = Table(headings, rows, note, text_columns=2, optional=optional, explanations=explanations)
    return Section("Tuned", [table, *_order_at_the_end(tuned)], {"tuned": _tuned_rows(tuned)})


def _tuned_rows(tuned: TunedComparison) -> pd.DataFrame:
    """Return the rows of tuned.csv: those of ranking.csv, with what was chosen; docs/report.md has both."""
    choices = [tuned.choices[group.name] for group in tuned.ranking.groups]
    return ranking_rows(tuned.ranking).assign(
        setting=[choice.setting for choice in choices],
        settings_tried=[choice.candidates for choice in choices],
        chosen_loss=[choice.chosen_score for choice in choices],
        judged_loss=[tuned.judging_scores.get(choice.value, math.inf) for choice in choices],
        flattery=pd.Series([choice.optimism for choice in choices], dtype=float),
        is_confirmed=tuned.is_confirmed,
    )


def _row(tuned: TunedComparison, group: RankedGroup) -> list[str]:
    comparable, choice = tuned.ranking.comparable, tuned.choices[group.name]
    last = MISSING if choice.last_score is None else format_quantity(comparable.shown(choice.last_score))
    return [
        group.name,
        choice.setting,
        str(choice.candidates),
        format_group_score(group, comparable),
        format_score_interval(group.interval, comparable),
        format_percent_difference(group.difference_interval),
        format_p_value(group.p),
        ", ".join(str(seed) for seed in group.scores),
        format_quantity(comparable.shown(choice.chosen_score)),
        format_quantity(comparable.shown(tuned.judging_scores.get(choice.value, math.inf))),
        last,
        _percent_higher(choice.optimism),
        *_default_cells(choice, comparable),
    ]


def _default_cells(choice: TunedChoice, comparable: ComparableRuns) -> list[str]:
    """Return the default setting's score, and how much lower the perplexity of the chosen one is."""
    if choice.default is None:
        return [MISSING, MISSING]
    score, gain = choice.default
    return [
        format_quantity(comparable.shown(score)),
        _percent(None if gain is None else 1 - math.exp(-gain)),
    ]


def _order_at_the_end(tuned: TunedComparison) -> list[str]:
    """Say whether the order by development scores is the same at the last epoch as at the best one."""
    choices = list(tuned.choices.values())
    ends = [choice for choice in choices if choice.last_score is not None]
    if len(ends) < len(choices):
        return []
    best = _ordered(choices, [choice.chosen_score for choice in choices])
    last = _ordered(choices, [choice.last_score or 0.0 for choice in choices])
    start = "With the seeds that choose, the order by development score is"
    if best == last:
        return [f"{start} the same at the last epoch as at the best one."]
    orders = f"at the last epoch ({', '.join(last)}) than at the best one ({', '.join(best)})"
    return [f"{start} another one {orders}."]


def _ordered(choices: Sequence[TunedChoice], scores: Sequence[float]) -> list[str]:
    return [value for _, value in sorted(zip(scores, [choice.value for choice in choices], strict=True))]
