"""Format numbers as a report prints them."""

import math

import pandas as pd

from tangsweep.console import format_number
from tangsweep.metrics import perplexity_of
from tangsweep.reporting.analysis.ranking import RankedGroup
from tangsweep.reporting.analysis.statistics import Interval
from tangsweep.reporting.data.comparability import ComparableRuns

MISSING = "–"
LISTED_GROUPS = 5  # in a sentence


def format_quantity(value: float | None) -> str:
    """Format with one decimal, none for whole numbers; ∞ for infinity and – for a missing value."""
    if value is None or pd.isna(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return format_number(float(value))


def format_two_decimals(value: float | None) -> str:
    """Format a number below 100 with two decimals and larger ones as `format_quantity` does."""
    return f"{value:.2f}" if value is not None and abs(value) < 100 else format_quantity(value)


def format_accuracy(value: float | None) -> str:
    return MISSING if value is None or pd.isna(value) else f"{value:.4f}"


def format_interval(interval: Interval | None) -> str:
    """Format as `380.4 ± 3.2`, or `380.4` where one seed gives no interval."""
    if interval is None:
        return MISSING
    half = "" if interval.half is None else f" ± {format_quantity(interval.half)}"
    return format_quantity(interval.mean) + half


def format_score_interval(interval: Interval | None, comparable: ComparableRuns) -> str:
    """Format the ends of a score's interval as `250.1 to 268.9`; – where there is none."""
    if interval is None or interval.low is None or interval.high is None:
        return MISSING
    low, high = comparable.shown(interval.low), comparable.shown(interval.high)
    return f"{format_quantity(low)} to {format_quantity(high)}"


def format_percent_difference(difference: Interval | None) -> str:
    """Format a difference of losses as one of perplexities in percent: `+3.2 % (1.0 to 5.5)`."""
    if difference is None:
        return MISSING
    mean = _percent(difference.mean)
    if difference.low is None or difference.high is None:
        return f"{mean} %"
    return f"{mean} % ({_percent(difference.low)} to {_percent(difference.high)})"


def _percent(difference: float) -> str:
    return f"{100 * (perplexity_of(difference) - 1):+.1f}".replace("-", "−")


def format_group_score(group: RankedGroup, comparable: ComparableRuns) -> str:
    """Format a perplexity, but an accuracy, often bimodal, with its range over seeds."""
    if group.score is None or not comparable.by_accuracy:
        return MISSING if group.score is None else format_quantity(comparable.shown(group.score.mean))
    low, high = format_accuracy(min(group.scores.values())), format_accuracy(max(group.scores.values()))
    score_range = f" ({low} to {high})" if len(group.scores) > 1 else ""
    return format_accuracy(group.score.mean) + score_range


def format_percent(value: float | None) -> str:
    return MISSING if value is None or pd.isna(value) else f"{value:.0%}"


def format_p_value(p: float | None) -> str:
    if p is None:
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def format_statuses(counts: dict[str, int]) -> str:
    """Format as `1 failed, 2 diverged`."""
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def format_names(names: list[str]) -> str:
    """List the first names and say how many more there are."""
    rest = f" and {len(names) - LISTED_GROUPS} more" if len(names) > LISTED_GROUPS else ""
    return ", ".join(names[:LISTED_GROUPS]) + rest
