"""What an initialization does: the first epoch, the first gradient, units that stay copies of each other."""

from pathlib import Path

import altair as alt
import pandas as pd

from tangsweep.report.charts.group_style import GroupStyle

KEYS = ("init.scheme._target_", "init.forget_bias")
COLUMNS = ["run", "group", "step", "train_loss", "grad_norm"]


def first_epochs(metrics: dict[str, Path], groups: dict[str, str]) -> pd.DataFrame:
    """The rows of each run's metrics.csv within its first epoch: loss since the row before, gradient norm."""
    frames = []
    for run, path in metrics.items():
        try:
            read = pd.read_csv(
                path, usecols=["step", "epoch", "train/loss", "train/grad_norm"], on_bad_lines="skip"
            )
        except (OSError, ValueError):
            continue  # collect has named it
        first = read[(read["epoch"] == 1) & read["train/loss"].notna()]
        renamed = first.rename(columns={"train/loss": "train_loss", "train/grad_norm": "grad_norm"})
        frames.append(renamed.assign(run=run, group=groups[run])[COLUMNS])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)


def gradients(first: pd.DataFrame) -> pd.DataFrame:
    """Of each run the first gradient norm that was logged, and at which step that was."""
    logged = first.dropna(subset=["grad_norm"]).sort_values("step")
    return logged.groupby(["run", "group"], as_index=False).first()[["run", "group", "step", "grad_norm"]]


def loss_chart(first: pd.DataFrame, look: GroupStyle) -> alt.Chart:
    x = alt.X("step:Q", title="optimizer step, first epoch")
    y = alt.Y("train_loss:Q", title="training loss, nats per character", scale=alt.Scale(zero=False))
    drawn = alt.Chart(first.assign(train_loss=first["train_loss"].round(4))).mark_line(strokeWidth=1.5)
    tip = ["run:N", "step:Q", "train_loss:Q"]
    return _of_groups(drawn, look, x, y, tip).properties(width=560, height=300)


def units_chart(epochs: pd.DataFrame, look: GroupStyle) -> alt.Chart:
    """Zeros stay identical: one unit a layer, however long it trains."""
    known = epochs.dropna(subset=["distinct_units"])[["run", "group", "epoch", "distinct_units"]]
    x = alt.X("epoch:Q", title="epoch")
    y = alt.Y("distinct_units:Q", title="hidden units that are no copies")
    drawn = alt.Chart(known).mark_line(point=True)
    return _of_groups(drawn, look, x, y, ["run:N", "epoch:Q", "distinct_units:Q"]).properties(
        width=560, height=260
    )


def _of_groups(drawn: alt.Chart, look: GroupStyle, x: alt.X, y: alt.Y, tip: list[str]) -> alt.Chart:
    return drawn.encode(
        x=x, y=y, color=look.colour, strokeDash=look.dash, detail="run:N", tooltip=list(map(alt.Tooltip, tip))
    )
