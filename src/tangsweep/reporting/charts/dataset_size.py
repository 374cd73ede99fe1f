"""The perplexity that ranks against the amount of training text, with a power law for each group."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.analysis.statistics import SIGNIFICANCE_LEVEL, PowerLaw, fit_power_law, is_finite
from tangsweep.reporting.blocks import AnyChart, Block, Chart, Section
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.groups import differs_between, remove_key
from tangsweep.reporting.formatting import format_names, format_p_value

SIZE_KEY = "data.poems"
NOT_COMPARABLE = (
    "The amount of data was varied, but no two amounts were scored on the same text with the same "
    "vocabulary, so there is no chart. data.split=fixed with data.pool and data.dev_poems keeps both equal."
)


class SizeScores(NamedTuple):
    """`points` has one row per run: group without its size, characters (training), perplexity, run."""

    points: pd.DataFrame
    power_laws: dict[str, PowerLaw]  # by group


def dataset_size_section(data: SweepData, rankings: Sequence[Ranking]) -> Section | None:
    """Return one chart per ranking; None where the amount of data was not varied."""
    if not differs_between(SIZE_KEY, data.configs.values()):
        return None
    scores = [points for ranking in rankings if (points := size_scores(ranking.comparable))]
    if not scores:
        return Section("Dataset size", [NOT_COMPARABLE])
    names = ["sizes" if not number else f"sizes-{number + 1}" for number in range(len(scores))]
    blocks: list[Block] = [
        Chart.from_altair(name, _describe_power_laws(points), size_chart(points, data.values.values()))
        for name, points in zip(names, scores, strict=True)
    ]
    drawn = {run for points in scores for run in points.points["run"]}
    omitted = [str(run) for run in data.runs["run"] if run not in drawn]
    if omitted:
        blocks.append(f"Left out, because scored on another text or not at all: {format_names(omitted)}.")
    tables = {name: points.points for name, points in zip(names, scores, strict=True)}
    return Section("Dataset size", blocks, tables)


def size_scores(comparable: ComparableRuns) -> SizeScores | None:
    """Return scores by dataset size; None where fewer than two sizes were scored on the same text."""
    runs = comparable.runs[comparable.runs["train_characters"].notna()]
    runs = runs[is_finite(runs[comparable.score_column])]
    if comparable.by_accuracy or runs["train_characters"].nunique() < 2:
        return None
    points = pd.DataFrame(
        {
            "group": runs["group"].map(lambda group: remove_key(group, "poems")),
            "characters": runs["train_characters"].astype(float),
            "perplexity": np.exp(runs[comparable.score_column].astype(float)),
            "run": runs["run"],
        }
    )
    power_laws = {
        str(group): law
        for group, rows in points.groupby("group")
        if (law := fit_power_law(rows["characters"].tolist(), rows["perplexity"].tolist()))
    }
    return SizeScores(points, power_laws)


def _describe_power_laws(scores: SizeScores) -> str:
    laws = [_describe_power_law(group, law) for group, law in scores.power_laws.items()]
    return "; ".join(laws) or "There are fewer than three sizes, so no power law is fitted."


def _describe_power_law(group: str, law: PowerLaw) -> str:
    sizes = law.exponent.n
    sentence = (
        f"{group}: perplexity ~ characters^{law.exponent.mean:.3f} (95 % interval {law.exponent.low:.3f} to "
        f"{law.exponent.high:.3f}, over the means of {sizes} sizes)"
    )
    if law.lack_of_fit is not None and law.lack_of_fit < SIGNIFICANCE_LEVEL:
        return f"{sentence}; the means are no power law (lack of fit: p {format_p_value(law.lack_of_fit)})"
    return sentence


def size_chart(scores: SizeScores, values: Iterable[str]) -> AnyChart:
    """Return a chart with logarithmic axes, in which a power law is a straight line."""
    style = GroupStyle(scores.points["group"], values)
    x = alt.X(
        "characters:Q", title="training characters", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s")
    )
    y = alt.Y("perplexity:Q", title="perplexity", scale=alt.Scale(type="log", zero=False))
    tooltip = ["run:N", "characters:Q", alt.Tooltip("perplexity:Q", format=".1f")]
    points = alt.Chart(scores.points).mark_point(filled=True, size=60)
    points = points.encode(x=x, y=y, color=style.line_colour, tooltip=tooltip)
    lines = alt.Chart(_power_law_lines(scores)).mark_line(strokeWidth=1.5)
    return alt.layer(points, lines.encode(x=x, y=y, color=style.line_colour)).properties(
        width=560, height=320
    )


def _power_law_lines(scores: SizeScores) -> pd.DataFrame:
    rows = []
    for group, law in scores.power_laws.items():
        sizes = scores.points.loc[scores.points["group"] == group, "characters"]
        for size in np.geomspace(sizes.min(), sizes.max(), 20):
            perplexity = law.factor * size**law.exponent.mean
            rows.append({"group": group, "characters": size, "perplexity": perplexity})
    return pd.DataFrame(rows, columns=["group", "characters", "perplexity"])
