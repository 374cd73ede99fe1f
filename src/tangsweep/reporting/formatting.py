"""Format numbers as a report prints them."""

import math

import pandas as pd

from tangsweep.console import format_number
from tangsweep.metrics import Metric
from tangsweep.reporting.analysis.ranking import RankedGroup
from tangsweep.reporting.analysis.statistics import Interval

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


def format_group_score(group: RankedGroup, metric: Metric) -> str:
    """Format a perplexity with its interval, but an accuracy, often bimodal, with its range over seeds."""
    if group.score is None or metric.name != "accuracy":
        return format_interval(group.score)
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
