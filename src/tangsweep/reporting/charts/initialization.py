"""The effect of an initialization: loss in the first epoch, first gradient norm, identical units."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.blocks import Block, Chart, Section, Table
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.groups import differs_between
from tangsweep.runs.metrics_file import MetricsFile

INIT_KEYS = ("init.scheme._target_", "init.forget_bias")
COLUMNS = ["run", "group", "step", "train_loss", "grad_norm"]
DISTINCT_UNITS = (
    "Hidden units with the same weights count as one unit. Under `zeros` they stay copies of each other."
)


def initialization_section(data: SweepData, rankings: Sequence[Ranking]) -> Section | None:
    """Return the section on the first epochs by initialization; None where that was not varied."""
    if not any(differs_between(key, data.configs.values()) for key in INIT_KEYS):
        return None
    steps = first_epoch_steps(data)
    style = GroupStyle.of_runs(data.runs, data.values)
    blocks: list[Block] = []
    if len(steps):
        caption = "Training loss within the first epoch."
        blocks += [Chart.from_altair("first_epoch", caption, loss_chart(steps, style)), gradient_table(steps)]
    if data.epochs["distinct_units"].notna().any():
        blocks.append(Chart.from_altair("distinct_units", DISTINCT_UNITS, units_chart(data.epochs, style)))
    return Section("Initialization", blocks)


def first_epoch_steps(data: SweepData) -> pd.DataFrame:
    """Return the rows of metrics.csv in each run's first epoch: loss since the row before, gradient norm."""
    groups = dict(zip(data.runs["run"], data.runs["group"], strict=True))
    names = {"step": "step", "train/loss": "train_loss", "train/grad_norm": "grad_norm"}
    tables = []
    for run, folder in data.folders.items():
        try:
            rows = [row for row in MetricsFile(folder.metrics).rows() if row["epoch"] == 1]
        except OSError:
            continue  # `collect` has listed the file as unreadable
        table = pd.DataFrame(rows, columns=list(names)).rename(columns=names).dropna(subset=["train_loss"])
        if len(table):
            tables.append(table.assign(run=run, group=groups[run])[COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def gradient_table(steps: pd.DataFrame) -> Table:
    """Return the first gradient norm that each run logged, and its optimizer step."""
    logged = steps.dropna(subset=["grad_norm"]).sort_values("step")
    first = logged.groupby(["run", "group"], as_index=False).first()[["run", "step", "grad_norm"]]
    first = first.sort_values("grad_norm", ascending=False)
    rows = [[row["run"], f"{row['step']:.0f}", f"{row['grad_norm']:.3g}"] for _, row in first.iterrows()]
    return Table(["run", "step", "gradient norm"], rows, "First logged gradient norm, before clipping.")


def loss_chart(steps: pd.DataFrame, style: GroupStyle) -> alt.Chart:
    x = alt.X("step:Q", title="optimizer step, first epoch")
    y = alt.Y("train_loss:Q", title="training loss, nats per character", scale=alt.Scale(zero=False))
    lines = alt.Chart(steps.assign(train_loss=steps["train_loss"].round(4))).mark_line(strokeWidth=1.5)
    tooltip = ["run:N", "step:Q", "train_loss:Q"]
    return _encode_runs(lines, style, x, y, tooltip).properties(width=560, height=300)


def units_chart(epochs: pd.DataFrame, style: GroupStyle) -> alt.Chart:
    """Return the number of distinct hidden units by epoch; with `zeros` one per layer throughout."""
    counted = epochs.dropna(subset=["distinct_units"])[["run", "group", "epoch", "distinct_units"]]
    x = alt.X("epoch:Q", title="epoch")
    y = alt.Y("distinct_units:Q", title="distinct hidden units")
    lines = alt.Chart(counted).mark_line(point=True)
    tooltip = ["run:N", "epoch:Q", "distinct_units:Q"]
    return _encode_runs(lines, style, x, y, tooltip).properties(width=560, height=260)


def _encode_runs(chart: alt.Chart, style: GroupStyle, x: alt.X, y: alt.Y, tooltip: list[str]) -> alt.Chart:
    """Draw one line per run in its group's style."""
    return chart.encode(
        x=x,
        y=y,
        color=style.line_colour,
        strokeDash=style.dash,
        detail="run:N",
        tooltip=[alt.Tooltip(name) for name in tooltip],
    )
