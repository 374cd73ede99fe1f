"""The figures published for an experiment, and ours of the same name beside them."""

import math
from collections.abc import Mapping
from typing import Any

from tangsweep.errors import UserError

# Which figure of a record a key of `published` in conf/experiment/ is compared with. Training figures are
# those at the end of training, over the whole training text (`train_windows`: of a book in windows of
# data.seq_len, each from zero state); of the held-out text, those of the best epoch.
WHERE = {
    "vocabulary": ("corpus", "vocabulary"),
    "train_perplexity": ("last", "train", "perplexity"),
    "train_windows_loss": ("last", "train_windows", "loss"),
    "train_windows_accuracy": ("last", "train_windows", "accuracy"),
    "dev_perplexity": ("dev", "perplexity"),
    "nats_per_sequence": ("dev", "nats_per_sequence"),
}

DIFFERENCES = "differences"  # a sentence beside the figures: how the setting differs from the published one


def check(published: Mapping[str, Any]) -> None:
    """Raises UserError for a figure that no record has, or that is no number."""
    for name, figure in published.items():
        if name == DIFFERENCES:
            continue
        if not isinstance(figure, int | float) or isinstance(figure, bool):
            raise UserError(f"published.{name}={figure} makes no sense: it must be a number")
        if name not in WHERE:
            raise UserError(f"published.{name} is no figure of a record; there are: {', '.join(WHERE)}")


def beside(published: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """For each published figure `{"published": …, "ours": …}`; ours is None where a run has none."""
    figures = {name: figure for name, figure in published.items() if name != DIFFERENCES}
    return {name: {"published": figure, "ours": _ours(name, result)} for name, figure in figures.items()}


def _ours(name: str, result: Mapping[str, Any]) -> float | None:
    found: Any = result
    for key in WHERE[name]:
        found = found.get(key) if found else None
    return found


def line(figures: Mapping[str, Mapping[str, float | None]]) -> str:
    """`published / ours: train_loss 1.2 / 0.998, vocabulary 2,558 / 2,558`."""
    shown = (f"{n} {_shown(f['published'])} / {_shown(f['ours'])}" for n, f in figures.items())
    return f"published / ours: {', '.join(shown)}"


def _shown(figure: float | None) -> str:
    if figure is None:
        return "none"
    whole = math.isfinite(figure) and figure == int(figure)
    return f"{figure:,.0f}" if whole else f"{figure:,.4g}"
