"""Numbers as a report prints them."""

import math
from typing import Any

import pandas as pd

from tangsweep.console import format_number
from tangsweep.report.analysis.statistics import Interval

NOTHING = "–"


def shown(value: Any, by_accuracy: bool = False) -> str:
    """A score: one decimal of a perplexity, four of an accuracy; ∞ and – where there is none."""
    if value is None or pd.isna(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.4f}" if by_accuracy else format_number(float(value))


def with_interval(found: Interval | None, by_accuracy: bool = False) -> str:
    """`380.4 ± 3.2`; no interval is made up from one seed."""
    if found is None:
        return NOTHING
    half = "" if found.half is None else f" ± {shown(found.half, by_accuracy)}"
    return shown(found.mean, by_accuracy) + half


def percent(value: Any) -> str:
    return NOTHING if value is None or pd.isna(value) else f"{value:.0%}"


def probability(p: float | None) -> str:
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
