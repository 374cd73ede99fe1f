"""The panels of a dashboard: curves, scores, learning rates, varied numbers, poems and texts.

A panel names only metrics, config keys and tables that runs logged at W&B.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

from wandb_workspaces.reports.v2 import interface as wr

from tangsweep.config.overrides import distinguishes_runs, variant
from tangsweep.metrics import Metric
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.run_files import EPOCH_COLUMNS, ConfigValue, FlatConfig
from tangsweep.runs.wandb_names import VARIANT, wandb_summary

# Name of a table at W&B → file of the run with the same texts.
TABLE_FILES = {"poems": "poems.txt", "continuations": "samples.txt"}
GRID_WIDTH, GRID_COLUMNS, PANEL_HEIGHT = 24, 3, 7  # of a W&B report's grid, in its units
MAX_RUNS = 100  # drawn in a panel, and in a workspace
LOSSES = {
    "val/perplexity": "Development perplexity",
    "val/loss": "Development loss, nats per character",
    "train/epoch_loss": "Training loss of each epoch, nats per character",
}
ACCURACIES = {"val/accuracy": "Accuracy", "val/loss": "Loss, nats"}
SCORES = {
    "best/test/known_perplexity": "Test perplexity, known characters",
    "best/test/perplexity": "Test perplexity, all characters",
    "best/test/oov_loss": "Nats per unknown character of the test set",
    "best/dev/known_perplexity": "Best development perplexity, known characters",
    "best/dev/perplexity": "Best development perplexity, all characters",
    "best/dev/bits_per_character": "Bits per character at the best epoch",
    "best/train/perplexity": "Training perplexity at the best epoch",
    "quality/right_lines": "Share of lines of the right length",
}
SOLVED = {"best/dev/accuracy": "Best accuracy", "solved_step": "Step at which it was solved"}

Panel = wr.LinePlot | wr.BarPlot | wr.ScatterPlot | wr.ParallelCoordinatesPlot | wr.WeavePanelSummaryTable


class LoggedNames(NamedTuple):
    """W&B's ids of the runs, and the names under which at least one run logged: a panel refers to both.

    Of history, summary and config it holds only the names of numbers.
    """

    ids: dict[str, str]  # run → W&B's id
    history: frozenset[str]
    summary: frozenset[str]
    config: tuple[str, ...]  # keys that differ between the runs
    tables: tuple[str, ...]
    groups: dict[str, str]  # W&B's variant → the report's group


def logged_names(data: SweepData, comparable: ComparableRuns) -> LoggedNames:
    """Return the names of the runs that went to W&B; runs with logger=csv are left out."""
    runs = comparable.runs
    ids = {
        str(run): str(wandb_id)
        for run, wandb_id in zip(runs["run"], runs["wandb_id"], strict=True)
        if run in data.records and isinstance(wandb_id, str)
    }
    summaries = [wandb_summary(data.records[run]) for run in ids]
    epochs = data.epochs[data.epochs["run"].isin(ids)]
    groups = dict(zip(runs["run"], runs["group"], strict=True))
    return LoggedNames(
        ids=ids,
        history=frozenset(name for column, name in EPOCH_COLUMNS.items() if epochs[column].notna().any()),
        summary=frozenset(
            name for summary in summaries for name, value in summary.items() if _is_number(value)
        ),
        config=tuple(_differing_numbers([data.configs[run] for run in ids])),
        tables=tuple(
            name
            for name, file in TABLE_FILES.items()
            if any((data.folders[run].path / file).exists() for run in ids)
        ),
        groups={variant(data.records[run].overrides or []): groups[run] for run in ids},
    )


def _differing_numbers(configs: Sequence[FlatConfig]) -> list[str]:
    """Return the keys that hold a number in every config, but not the same one."""
    return [
        key
        for key in (configs[0] if configs else {})
        if all(_is_number(config.get(key)) for config in configs)
        and distinguishes_runs(key)
        and len({repr(config[key]) for config in configs}) > 1
    ]


def _is_number(value: ConfigValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class PanelSection(NamedTuple):
    """A titled section of a dashboard."""

    title: str
    panels: list[Panel]


def panel_sections(names: LoggedNames, metric: Metric) -> list[PanelSection]:
    """Return the sections that have something to show."""
    by_accuracy = metric.name == "accuracy"
    score = f"best/dev/{metric.name}"
    sections = [
        PanelSection("Curves", _curves(names, by_accuracy)),
        PanelSection("Scores", _bars(names, SOLVED if by_accuracy else SCORES)),
        PanelSection("Learning rates", _learning_rates(names, score)),
        PanelSection("What was varied", _parallel_coordinates(names, score)),
        PanelSection(
            "Poems and texts", [wr.WeavePanelSummaryTable(table_name=name) for name in names.tables]
        ),
    ]
    return [section for section in sections if section.panels]


def _curves(names: LoggedNames, by_accuracy: bool) -> list[Panel]:
    axis, metrics = ("Step", ACCURACIES) if by_accuracy else ("epoch", LOSSES)
    curves = [(name, title, axis) for name, title in metrics.items()]
    curves.append(("val/loss", "Development loss against seconds of training", "seconds"))
    curves.append(("units/distinct", "Distinct hidden units", axis))
    return [_line(name, title, x) for name, title, x in curves if name in names.history]


def _line(name: str, title: str, axis: str) -> wr.LinePlot:
    """Return a plot of the mean over a variant's runs, shaded over their range."""
    return wr.LinePlot(
        title=title,
        x=axis,
        y=[name],
        log_y=name == "val/perplexity",
        smoothing_type="none",
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=MAX_RUNS,
    )


def _bars(names: LoggedNames, titles: dict[str, str]) -> list[Panel]:
    return [
        wr.BarPlot(
            title=title,
            metrics=[wr.SummaryMetric(name)],
            groupby_aggfunc="mean",
            max_bars_to_show=MAX_RUNS,
        )
        for name, title in titles.items()
        if name in names.summary
    ]


def _learning_rates(names: LoggedNames, score: str) -> list[Panel]:
    if "optimizer.lr" not in names.config or score not in names.summary:
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


def _parallel_coordinates(names: LoggedNames, score: str) -> list[Panel]:
    if score not in names.summary:
        return []
    column = wr.ParallelCoordinatesPlotColumn
    varied = [column(metric=wr.Config(key), log=key == "optimizer.lr") for key in names.config]
    results = [
        column(metric=wr.SummaryMetric(name)) for name in ("best_epoch", score) if name in names.summary
    ]
    columns = [column(metric=wr.Config(VARIANT)), *varied, *results]
    return [wr.ParallelCoordinatesPlot(title="Varied settings and their results", columns=columns)]


def place_panels(sections: Sequence[PanelSection], seed: str) -> list[Panel]:
    """Lay the panels of all sections out on a report's grid, up to three per row; return them in order.

    Panels get ids that depend only on `seed` and their place, so that the same runs give the same dashboard.
    """
    placed, top = [], 0
    for section in sections:
        columns = min(GRID_COLUMNS, len(section.panels))
        width = GRID_WIDTH // columns
        for place, panel in enumerate(section.panels):
            row, column = divmod(place, columns)
            y = top + row * PANEL_HEIGHT
            panel.layout = wr.Layout(x=column * width, y=y, w=width, h=PANEL_HEIGHT)
            panel._id = stable_id(f"{seed}/{section.title}/{place}")
            placed.append(panel)
        top += -(-len(section.panels) // columns) * PANEL_HEIGHT
    return placed


def stable_id(name: str) -> str:
    """Return an id in the format of W&B's random ones that depends on `name` only."""
    return hashlib.sha256(name.encode()).hexdigest()[:11]
