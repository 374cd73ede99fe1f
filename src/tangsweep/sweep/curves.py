"""The loss curves of a sweep's runs, training and development, as one Altair chart."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from tangsweep.runs.folder import RunFolder
from tangsweep.sweep.drawing import evaluated, save

CUT = 2.5  # a loss of more than so many times the untrained model's is not drawn: the others would be flat
COLUMNS = ["run", "epoch", "side", "loss"]
SIDES = {"train/epoch_loss": "training", "val/loss": "development"}


def write(folder: Path, runs: Mapping[str, RunFolder], caption: str) -> bool:
    """curves.html (self-contained) and curves.png of the runs by name; False where none has a row."""
    points = read(runs)
    if points.empty:
        return False
    save(chart(points, caption), folder, "curves")
    return True


def read(runs: Mapping[str, RunFolder]) -> pd.DataFrame:
    """One row a run, epoch and side: run, epoch, side, loss in nats per character."""
    frames = [_read(run).assign(run=name) for name, run in runs.items()]
    return pd.concat([f for f in frames if len(f)] or [pd.DataFrame(columns=COLUMNS)])


def _read(run: RunFolder) -> pd.DataFrame:
    sides = evaluated(run).rename(columns=SIDES)
    return sides.melt("epoch", list(SIDES.values()), var_name="side", value_name="loss").dropna()


def chart(points: pd.DataFrame, caption: str) -> alt.FacetChart:
    """Training and development loss side by side on one scale; a click on a name picks a run."""
    top = CUT * points.loc[points["epoch"] == points["epoch"].min(), "loss"].median()
    cut = points["loss"].max() > top
    axis = alt.Scale(zero=False, domainMax=top) if cut else alt.Scale(zero=False)
    note = f"; losses above {top:.0f} nats are cut off" if cut else ""
    chosen = alt.selection_point(fields=["run"], bind="legend")
    scheme: Any = "tableau10" if points["run"].nunique() <= 10 else "tableau20"
    legend = alt.Legend(symbolLimit=0, columns=math.ceil(points["run"].nunique() / 25) or 1)
    lines = (
        alt.Chart(points)
        .mark_line(clip=True)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("loss:Q", title="nats per character", scale=axis),
            color=alt.Color("run:N", title=None, scale=alt.Scale(scheme=scheme), legend=legend),
            opacity=alt.condition(chosen, alt.value(1), alt.value(0.1)),
            tooltip=["run:N", "side:N", "epoch:Q", alt.Tooltip("loss:Q", format=".3f")],
        )
        .properties(width=420, height=320)
        .add_params(chosen)
    )
    sides = alt.Column("side:N", sort=list(SIDES.values()), title=None)
    return lines.facet(column=sides).properties(title=caption + note)
