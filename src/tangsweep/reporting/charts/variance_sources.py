"""Which kind of luck makes runs differ: initialization, order of batches, or the split of the text."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.analysis.variance_sources import (
    INITIALIZATION_AND_ORDER,
    LOSSES,
    SOURCES,
    SPLIT,
    group_by_other_keys,
    scored_runs,
    shared_loss_column,
    variance_table,
)
from tangsweep.reporting.blocks import AnyChart, Block, Chart, Section, Table
from tangsweep.reporting.charts.group_style import COLOURS, natural_sort_key
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.formatting import MISSING, format_names, format_percent

CAPTION = (
    "Shares of the variance of the {loss}. A source's variance is that among runs that differ in nothing "
    "but this source, averaged over such sets of runs with their degrees of freedom as weights (after "
    "Bouthillier et al. 2021); the shares are of the sum over sources. What two sources make only together "
    "counts in both."
)
TOGETHER = (
    "Where order_seed is null, the seed decides both initialization and order, which cannot be told apart."
)
OTHER_TEXT = "Another split changes the text that is learned and also the text that is scored."
NOTE = (
    "{loss}, in nats per character. Degrees of freedom are runs minus sets: with few, a figure says little."
)


def variance_source_section(data: SweepData, rankings: Sequence[Ranking]) -> Section | None:
    """Return the section; None where no group of runs varies two of the keys of sources.

    Splits make runs incomparable, and so stand in different rankings: here all runs of a sweep count.
    """
    loss = shared_loss_column(data.runs[data.runs["status"] == "done"])
    if loss is None:
        return None
    groups = group_by_other_keys(data.configs, data.records)
    variances = variance_table(data.runs, data.configs, groups, loss)
    if variances.empty:
        return None
    blocks: list[Block] = []
    bars = variances[variances["share"].notna()]
    if len(bars):
        caption = _caption(variances, LOSSES[loss])
        blocks.append(Chart.from_altair("variance_sources", caption, variance_chart(bars)))
    blocks.append(_variance_block(variances, LOSSES[loss]))
    missing = variances[variances["sets"] == 0]
    names = [
        f"{source} of {group}" for group, source in zip(missing["group"], missing["source"], strict=True)
    ]
    if names:
        blocks.append(f"Not measured, because no two runs differ in nothing else: {format_names(names)}.")
    members = data.runs[data.runs["run"].map(groups).isin(variances["group"])]
    omitted = sorted(set(members["run"]) - set(scored_runs(members, loss)["run"]))
    if omitted:
        blocks.append(f"Left out, because not done or without this loss: {format_names(omitted)}.")
    return Section("Sources of variance", blocks, {"variance_sources": variances})


def variance_chart(bars: pd.DataFrame) -> AnyChart:
    """Return one stacked bar per group."""
    sources = [source for source in SOURCES if source in set(bars["source"])]
    groups = sorted(set(bars["group"]), key=natural_sort_key)
    scale = alt.Scale(domain=sources, range=[COLOURS[SOURCES.index(source)] for source in sources])
    bars = bars.assign(place=bars["source"].map(SOURCES.index))  # stacked in the legend's order
    deviation = alt.Tooltip("standard_deviation:Q", format=".3g")
    chart: alt.Chart = alt.Chart(bars).mark_bar().encode(
        x=alt.X("share:Q", title="share of the variance", stack="zero", axis=alt.Axis(format="%")),
        y=alt.Y("group:N", title=None, sort=groups),
        color=alt.Color("source:N", title=None, sort=sources, scale=scale),
        order=alt.Order("place:Q"),
        tooltip=["group:N", "source:N", alt.Tooltip("share:Q", format=".0%"), deviation, "sets:Q", "runs:Q"],
    )  # fmt: skip
    return chart.properties(width=480, height=alt.Step(34))


def _caption(variances: pd.DataFrame, loss: str) -> str:
    sentences = [CAPTION.format(loss=loss)]
    if INITIALIZATION_AND_ORDER in set(variances["source"]):
        sentences.append(TOGETHER)
    if (variances["source"].eq(SPLIT) & variances["sets"].gt(0)).any():
        sentences.append(OTHER_TEXT)
    return " ".join(sentences)


def _variance_block(variances: pd.DataFrame, loss: str) -> Table:
    rows = [
        [
            str(row["group"]),
            str(row["source"]),
            f"{row['standard_deviation']:.3g}" if row["sets"] else MISSING,
            format_percent(row["share"]),
            str(row["sets"]),
            str(row["runs"]),
        ]
        for _, row in variances.iterrows()
    ]
    columns = ["group", "source", "standard deviation (nats)", "share of the variance", "sets", "runs"]
    return Table(columns, rows, NOTE.format(loss=loss.capitalize()), text_columns=2)
