"""What the charts of a sweep share: the evaluated rows of a run, and how a chart becomes files."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from tangsweep import places
from tangsweep.runs.folder import RunFolder, atomic_write
from tangsweep.runs.record import COLUMNS


def evaluated(run: RunFolder) -> pd.DataFrame:
    """The rows of metrics.csv that hold an evaluation; none where the file has no row yet or was cut off."""
    try:
        metrics = pd.read_csv(run.metrics)
    except (OSError, ValueError):  # the run is in the table all the same
        return pd.DataFrame(columns=list(COLUMNS))
    return metrics[metrics["val/loss"].notna()]


# Vega's own scripts are the same in every page: bundling them takes 2 s, and so is done once a version.
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title></head><body><div id="chart"></div>
<script type="module">{scripts}
vegaEmbed("#chart", {chart});</script></body></html>
"""


def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed as one text, from the cache where it is there."""
    path = places.data() / "cache" / f"vega-{version('vl-convert-python')}.js"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return path.read_text(encoding="utf-8")


def save(chart: Any, folder: Path, name: str) -> None:
    """NAME.html, self-contained, and NAME.png."""
    with alt.data_transformers.disable_max_rows():
        written = chart.to_json(indent=None)
    page = PAGE.format(name=name, scripts=scripts(), chart=written.replace("</", "<\\/"))
    atomic_write(folder / f"{name}.html", page)
    atomic_write(folder / f"{name}.png", vl_convert.vegalite_to_png(written, scale=2))
