"""How the development score falls with the amount of training text."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from tangsweep.report.analysis.statistics import PowerLaw, finite, power_law
from tangsweep.report.charts.group_style import GroupStyle
from tangsweep.report.data.comparability import ComparableRuns
from tangsweep.report.data.groups import without

KEY = "data.poems"


class Sizes(NamedTuple):
    """`points` has a row a run: group without its size, training characters, development perplexity."""

    points: pd.DataFrame
    laws: dict[str, PowerLaw]


def varied(runs: pd.DataFrame, configs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a sweep asks about the amount of data at all."""
    return len({repr(configs[run].get(KEY)) for run in runs["run"]}) > 1


def sizes(part: ComparableRuns) -> Sizes | None:
    """None where no two sizes were scored on the same text: the chart is refused."""
    runs = part.runs[part.runs["train_characters"].notna()]
    runs = runs[finite(runs["dev_perplexity"])]
    if part.by_accuracy or runs["train_characters"].nunique() < 2:
        return None
    points = pd.DataFrame(
        {
            "group": runs["group"].map(lambda group: without(group, "poems")),
            "characters": runs["train_characters"].astype(float),
            "perplexity": runs["dev_perplexity"].astype(float),
            "run": runs["run"],
        }
    )
    laws = {
        str(group): law
        for group, same in points.groupby("group")
        if (law := power_law(same["characters"].tolist(), same["perplexity"].tolist()))
    }
    return Sizes(points, laws)


def chart(found: Sizes, look: GroupStyle) -> alt.LayerChart | alt.FacetChart:
    """Both axes logarithmic, a power law as a straight line."""
    x = alt.X(
        "characters:Q", title="training characters", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s")
    )
    y = alt.Y("perplexity:Q", title="development perplexity", scale=alt.Scale(type="log", zero=False))
    tip = ["run:N", "characters:Q", alt.Tooltip("perplexity:Q", format=".1f")]
    dots = alt.Chart(found.points).mark_point(filled=True, size=60)
    dots = dots.encode(x=x, y=y, color=look.colour, tooltip=tip)
    lines = alt.Chart(_fitted(found)).mark_line(strokeWidth=1.5).encode(x=x, y=y, color=look.colour)
    return alt.layer(dots, lines).properties(width=560, height=320)


def _fitted(found: Sizes) -> pd.DataFrame:
    rows = []
    for group, law in found.laws.items():
        own = found.points.loc[found.points["group"] == group, "characters"]
        for size in np.geomspace(own.min(), own.max(), 20):
            rows.append(
                {"group": group, "characters": size, "perplexity": law.factor * size**law.exponent.mean}
            )
    return pd.DataFrame(rows, columns=["group", "characters", "perplexity"])
