"""The accuracy of a sweep's runs while they trained: every run faint, the mean over seeds on top."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from tangsweep.runs.folder import RunFolder
from tangsweep.sweep.drawing import evaluated, save

COLUMNS = ["run", "group", "step", "accuracy"]


def write(folder: Path, runs: Mapping[str, RunFolder], groups: Mapping[str, str], caption: str) -> bool:
    """accuracy.html (self-contained) and accuracy.png of the runs by name; False where none has a row.

    `groups` names what a run's seeds have in common.
    """
    points = read(runs, groups)
    if points.empty:
        return False
    save(chart(points, caption), folder, "accuracy")
    return True


def read(runs: Mapping[str, RunFolder], groups: Mapping[str, str]) -> pd.DataFrame:
    """One row a run and evaluation."""
    frames = [_read(run).assign(run=name, group=groups[name]) for name, run in runs.items()]
    return pd.concat([f for f in frames if len(f)] or [pd.DataFrame(columns=COLUMNS)])


def _read(run: RunFolder) -> pd.DataFrame:
    return evaluated(run)[["step", "val/accuracy"]].rename(columns={"val/accuracy": "accuracy"})


def _natural(name: str) -> list[str | int]:
    """`length-5` before `length-10`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def chart(points: pd.DataFrame, caption: str) -> alt.LayerChart | alt.FacetChart:
    """The mean ends where the first run of a group ends: later it would be a mean over survivors."""
    last = points.groupby(["group", "run"])["step"].max().groupby("group").min().rename("until")
    shared = points.join(last, on="group").query("step <= until")
    mean = shared.groupby(["group", "step"], as_index=False)["accuracy"].mean()
    scheme: Any = "tableau10" if points["group"].nunique() <= 10 else "tableau20"
    order = sorted(points["group"].unique(), key=_natural)
    common: Any = {
        "x": alt.X("step:Q", title="optimizer step"),
        "y": alt.Y("accuracy:Q", title="accuracy on the evaluation set", scale=alt.Scale(zero=False)),
        "color": alt.Color(
            "group:N",
            title=None,
            sort=order,
            scale=alt.Scale(scheme=scheme),
            legend=alt.Legend(symbolLimit=0, symbolStrokeWidth=3, symbolOpacity=1),
        ),
    }
    runs = (
        alt.Chart(points)
        .mark_line(strokeWidth=1)
        .encode(**common, opacity=alt.value(0.3), detail="run:N", tooltip=["run:N"])
    )
    means = (
        alt.Chart(mean)
        .mark_line(strokeWidth=3)
        .encode(
            **common,
            strokeDash=alt.StrokeDash("group:N", legend=None, sort=order),
            tooltip=["group:N", "step:Q", "accuracy:Q"],
        )
    )
    return alt.layer(means, runs).properties(width=640, height=360, title=caption)
