"""Saves a chart as a .png, .svg or .html file."""

from pathlib import Path

import altair as alt

from tangsweep.errors import UserError

SUFFIXES = (".png", ".svg", ".html")


def chart_path(name: str) -> Path:
    """Return the path of `--out`. Raises UserError for a suffix that is not in SUFFIXES."""
    path = Path(name)
    if path.suffix not in SUFFIXES:
        raise UserError(f"--out {path}: the name must end in .png, .svg or .html")
    return path


def save_chart(chart: alt.Chart, path: Path, scale_factor: int = 1) -> None:
    """Save a chart; `scale_factor` multiplies the pixels of a .png. Raises UserError where it cannot."""
    try:
        with alt.data_transformers.disable_max_rows():
            chart.save(str(path), scale_factor=scale_factor, inline=path.suffix == ".html")
    except OSError as error:
        raise UserError(f"--out {path} cannot be written ({error.strerror})") from error
    print(path)
