"""The panels of a dashboard: curves, scores, learning rates, what was varied, poems."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import wandb_workspaces.reports.v2 as wr

from tangsweep.dashboard.logged import Logged
from tangsweep.runs import wandb_names

WIDTH, COLUMNS, HEIGHT = 24, 3, 7  # of a report's grid, in its units
VARIANT = wr.Config(wandb_names.VARIANT)
LOSSES = {
    "val/perplexity": "Development perplexity",
    "val/loss": "Development loss, nats per character",
    "train/epoch_loss": "Training loss of each epoch, nats per character",
}
ACCURACIES = {"val/accuracy": "Accuracy", "val/loss": "Loss, nats"}
SCORES = {
    "best/dev/perplexity": "Best development perplexity (padding never counts)",
    "best/dev/bits_per_character": "Bits per character at the best epoch",
    "best/train/perplexity": "Training perplexity at the best epoch",
    "quality/right_lines": "Share of lines of the right length",
}
SOLVED = {"best/dev/accuracy": "Best accuracy", "solved_step": "Step at which it was solved"}


class Panels(NamedTuple):
    """One section of a dashboard."""

    title: str
    panels: list[Any]


def sections(logged: Logged, by_accuracy: bool) -> list[Panels]:
    """All sections that have something to show."""
    score = "best/dev/accuracy" if by_accuracy else "best/dev/perplexity"
    found = [
        Panels("Curves", _curves(logged, by_accuracy)),
        Panels("Scores", _bars(logged, SOLVED if by_accuracy else SCORES)),
        Panels("Learning rates", _rates(logged, score)),
        Panels("What was varied", _parallel(logged, score)),
        Panels("Poems and texts", [_table(name) for name in logged.tables]),
    ]
    return [section for section in found if section.panels]


def _curves(logged: Logged, by_accuracy: bool) -> list[Any]:
    axis, names = ("Step", ACCURACIES) if by_accuracy else ("epoch", LOSSES)
    lines = [_line(name, title, axis) for name, title in names.items() if name in logged.history]
    if "val/loss" in logged.history:
        lines.append(_line("val/loss", "Development loss against seconds of training", "seconds"))
    if "units/distinct" in logged.history:
        lines.append(_line("units/distinct", "Distinct hidden units", axis))
    return lines


def _line(name: str, title: str, axis: str) -> Any:
    """Mean over the runs of a variant, shaded from least to largest."""
    return wr.LinePlot(
        title=title,
        x=axis,
        y=[name],
        log_y=name == "val/perplexity",
        smoothing_type="none",
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=100,
    )


def _bars(logged: Logged, names: dict[str, str]) -> list[Any]:
    known = ((wr.SummaryMetric(name), title) for name, title in names.items() if name in logged.summary)
    return [
        wr.BarPlot(title=title, metrics=[metric], groupby_aggfunc="mean", max_bars_to_show=100)
        for metric, title in known
    ]


def _rates(logged: Logged, score: str) -> list[Any]:
    if "optimizer.lr" not in logged.config or score not in logged.summary:
        return []
    return [
        wr.ScatterPlot(
            title="Learning-rate sensitivity",
            x=wr.Config("optimizer.lr"),
            y=wr.SummaryMetric(score),
            log_x=True,
            log_y=score.endswith("perplexity"),
        )
    ]


def _parallel(logged: Logged, score: str) -> list[Any]:
    if score not in logged.summary:
        return []
    column = wr.ParallelCoordinatesPlotColumn
    varied = [column(metric=wr.Config(key), log=key == "optimizer.lr") for key in logged.config]
    ends = [column(metric=wr.SummaryMetric(name)) for name in ("best_epoch", score) if name in logged.summary]
    title = "What was varied, and what came of it"
    return [wr.ParallelCoordinatesPlot(title=title, columns=[column(metric=VARIANT), *varied, *ends])]


def _table(name: str) -> Any:
    return wr.WeavePanelSummaryTable(table_name=name)


def laid_out(found: Sequence[Panels], seed: str) -> list[Any]:
    """The panels of all sections on a report's grid: three a row, lone ones over the whole width.

    Panels get ids that depend on `seed` and their place only: the same runs make the same dashboard.
    """
    placed, top = [], 0
    for section in found:
        across = min(COLUMNS, len(section.panels))
        for place, panel in enumerate(section.panels):
            row, column = divmod(place, across)
            width = WIDTH // across
            panel.layout = wr.Layout(x=column * width, y=top + row * HEIGHT, w=width, h=HEIGHT)
            panel._id = stable(f"{seed}/{section.title}/{place}")
            placed.append(panel)
        top += -(-len(section.panels) // across) * HEIGHT
    return placed


def stable(name: str) -> str:
    """An id as W&B draws them at random, of `name`."""
    return hashlib.sha256(name.encode()).hexdigest()[:11]
