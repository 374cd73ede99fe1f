"""What the charts of a sweep share: the evaluated rows of a run, and how a chart becomes files."""

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from tangsweep.runs.folder import RunFolder, atomic_write
from tangsweep.runs.record import COLUMNS


def evaluated(run: RunFolder) -> pd.DataFrame:
    """The rows of metrics.csv that hold an evaluation; none where the file has no row yet or was cut off."""
    try:
        metrics = pd.read_csv(run.metrics)
    except (OSError, ValueError):  # the run is in the table all the same
        return pd.DataFrame(columns=list(COLUMNS))
    return metrics[metrics["val/loss"].notna()]


def save(chart: Any, folder: Path, name: str) -> None:
    """NAME.html, self-contained, and NAME.png."""
    with alt.data_transformers.disable_max_rows():
        atomic_write(folder / f"{name}.html", chart.to_html(inline=True))
        atomic_write(folder / f"{name}.png", vl_convert.vegalite_to_png(chart.to_json(), scale=2))
