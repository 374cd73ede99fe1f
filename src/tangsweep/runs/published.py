"""Compares a run with the published figures of its experiment."""

import math
from collections.abc import Mapping, Sequence

from tangsweep.config.groups import PublishedOptions
from tangsweep.config.overrides import varied_values
from tangsweep.runs.record import PublishedFigure, Record

# The field of a record that each key of `published` in conf/experiment/ is compared with. Training figures
# are those at the end of training, over the whole training text; `train_windows` reads a book in windows of
# data.seq_len characters, each from the zero state. Figures of the held-out text are those of the best epoch.
RECORD_FIELDS = {
    "vocabulary": ("corpus", "vocabulary"),
    "train_perplexity": ("last", "train", "perplexity"),
    "train_windows_loss": ("last", "train_windows", "loss"),
    "train_windows_accuracy": ("last", "train_windows", "accuracy"),
    "dev_perplexity": ("dev", "perplexity"),
    "nats_per_sequence": ("dev", "nats_per_sequence"),
}
DIFFERENCES = (
    "differences"  # key of a sentence beside the figures: how this setting differs from the published one
)


def compare_with_published(published: PublishedOptions, record: Record) -> dict[str, PublishedFigure]:
    """Return each published figure with the run's own, which is None where the run has none."""
    figures = published.model_dump(exclude_unset=True, exclude={DIFFERENCES})
    return {
        name: PublishedFigure(published=figure, ours=_record_value(record, RECORD_FIELDS[name]))
        for name, figure in figures.items()
    }


def _record_value(record: Record, path: tuple[str, ...]) -> float | None:
    value: object = record
    for name in path:
        value = getattr(value, name, None)
    return value if isinstance(value, int | float) else None


def departures(overrides: Sequence[str]) -> list[str]:
    """Return the overrides with which a run leaves the setting of its experiment: `trainer.max_epochs=2`."""
    return [f"{key}={value}" for key, value in varied_values(overrides).items() if key != "experiment"]


def format_published(figures: Mapping[str, PublishedFigure], overrides: Sequence[str] = ()) -> str:
    """Format as `published / ours: train_loss 1.2 / 0.998, vocabulary 2,558 / 2,558`.

    `overrides` are the run's own: those that leave the published setting are named.
    """
    parts = (f"{name} {_format(f.published)} / {_format(f.ours)}" for name, f in figures.items())
    changed = ", ".join(departures(overrides))
    return f"published / ours: {', '.join(parts)}{f'; ours with {changed}' if changed else ''}"


def _format(figure: float | None) -> str:
    if figure is None:
        return "none"
    whole = math.isfinite(figure) and figure == int(figure)
    return f"{figure:,.0f}" if whole else f"{figure:,.4g}"
