"""The loss curves of a sweep's runs, training and development, as one Altair chart."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import pandas as pd
import vl_convert

from tangsweep.runs.folder import RunFolder, atomic_write

SIDES = {"train/epoch_loss": "training", "val/loss": "development"}


def write(folder: Path, runs: Sequence[RunFolder], caption: str) -> None:
    """curves.html (self-contained) and curves.png; nothing where no run has a row."""
    points = read(runs)
    if points.empty:
        return
    drawn = chart(points, caption)
    atomic_write(folder / "curves.html", drawn.to_html(inline=True))

    atomic_write(folder / "curves.png", vl_convert.vegalite_to_png(drawn.to_json(), scale=2))


def read(runs: Sequence[RunFolder]) -> pd.DataFrame:
    """One row a run, epoch and side: run, epoch, side, loss in nats per character."""
    frames = [_read(run) for run in runs if run.metrics.exists()]
    return pd.concat(frames) if frames else pd.DataFrame(columns=["run", "epoch", "side", "loss"])


def _read(run: RunFolder) -> pd.DataFrame:
    metrics = pd.read_csv(run.metrics)
    evaluated = metrics[metrics["val/loss"].notna()].rename(columns=SIDES)
    long = evaluated.melt("epoch", list(SIDES.values()), var_name="side", value_name="loss")
    return long.dropna().assign(run=run.path.name.rpartition("-")[0])


def chart(points: pd.DataFrame, caption: str) -> alt.FacetChart:
    """Training and development loss side by side on one scale; a click on a name picks a run."""
    chosen = alt.selection_point(fields=["run"], bind="legend")
    lines = (
        alt.Chart(points)
        .mark_line()
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y("loss:Q", title="nats per character", scale=alt.Scale(zero=False)),
            color=alt.Color("run:N", title=None),
            opacity=alt.condition(chosen, alt.value(1), alt.value(0.1)),
            tooltip=["run:N", "side:N", "epoch:Q", alt.Tooltip("loss:Q", format=".3f")],
        )
        .properties(width=420, height=320)
        .add_params(chosen)
    )
    sides = alt.Column("side:N", sort=list(SIDES.values()), title=None)
    return lines.facet(column=sides).properties(title=caption)
