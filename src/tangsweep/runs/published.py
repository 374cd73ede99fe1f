"""The figures published for an experiment, and ours of the same name beside them."""

import math
from collections.abc import Mapping

from tangsweep.config.groups import PublishedOptions
from tangsweep.runs.record import PublishedFigure, Record

# Which field of a record a key of `published` in conf/experiment/ is compared with. Training figures are
# those at the end of training, over the whole training text (`train_windows`: of a book in windows of
# data.seq_len, each from zero state); of the held-out text, those of the best epoch.
RECORD_FIELDS = {
    "vocabulary": ("corpus", "vocabulary"),
    "train_perplexity": ("last", "train", "perplexity"),
    "train_windows_loss": ("last", "train_windows", "loss"),
    "train_windows_accuracy": ("last", "train_windows", "accuracy"),
    "dev_perplexity": ("dev", "perplexity"),
    "nats_per_sequence": ("dev", "nats_per_sequence"),
}
DIFFERENCES = "differences"  # a sentence beside the figures: how the setting differs from the published one


def compare_with_published(published: PublishedOptions, record: Record) -> dict[str, PublishedFigure]:
    """Return each published figure with ours beside it; ours is None where the run has none."""
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


def format_published(figures: Mapping[str, PublishedFigure]) -> str:
    """Format as `published / ours: train_loss 1.2 / 0.998, vocabulary 2,558 / 2,558`."""
    parts = (f"{name} {_format(f.published)} / {_format(f.ours)}" for name, f in figures.items())
    return f"published / ours: {', '.join(parts)}"


def _format(figure: float | None) -> str:
    if figure is None:
        return "none"
    whole = math.isfinite(figure) and figure == int(figure)
    return f"{figure:,.0f}" if whole else f"{figure:,.4g}"
