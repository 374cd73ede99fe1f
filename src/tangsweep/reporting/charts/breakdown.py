"""Where the nats go: what characters of each kind cost the best run of each group."""

import altair as alt
import pandas as pd

from tangsweep.reporting.analysis.ranking import Ranking, best_runs
from tangsweep.reporting.blocks import AnyChart, Chart, Section, Table
from tangsweep.reporting.charts.group_style import GroupStyle, natural_sort_key
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.formatting import format_percent, format_two_decimals

MOST_GROUPS = 8  # the first of the ranking
CAPTION = (
    "Nats per character of each kind, over the {set} set, of the run of each group with the best development "
    "score: one run, with its luck. Unknown characters are among them; by frequency they are those that "
    "training never shows."
)
NOTE = "Nats per character. Share: of all scored characters. Perplexity hides where a model is good and bad."


def breakdown_section(data: SweepData, ranking: Ranking) -> Section | None:
    """Return the section with nats by kind of character; None where no record has them."""
    table = breakdown_table(data, ranking)
    if table.empty:
        return None
    groups = list(dict.fromkeys(table["group"]))[:MOST_GROUPS]
    drawn = table[table["group"].isin(groups)]
    first = drawn[drawn["group"] == groups[0]]
    rows = []
    for _, kind in first.iterrows():
        same = drawn[(drawn["way"] == kind["way"]) & (drawn["kind"] == kind["kind"])].set_index("group")
        rows.append(
            [
                str(kind["way"]),
                str(kind["kind"]),
                format_percent(kind["share"]),
                *(format_two_decimals(_cell(same, group)) for group in groups),
            ]
        )
    name = "test" if first["set"].iloc[0] == "test" else "development"
    style = GroupStyle(drawn["group"], data.runs["group"])
    chart = Chart.from_altair("breakdown", CAPTION.format(set=name), breakdown_chart(drawn, style))
    headings = ["divided by", "kind", "share", *groups]
    return Section(
        "Where the nats go", [chart, Table(headings, rows, NOTE, text_columns=2)], {"breakdown": table}
    )


def _cell(same: pd.DataFrame, group: str) -> float | None:
    values = same.loc[same.index == group, "nats_per_character"]
    return float(values.iloc[0]) if len(values) else None


def breakdown_table(data: SweepData, ranking: Ranking) -> pd.DataFrame:
    """Return one row per group, way to divide the text and kind of character: nats, characters, share."""
    rows = []
    for group, run in best_runs(ranking).items():
        breakdown = data.records[run].breakdown
        for way, kinds in (breakdown.ways if breakdown else {}).items():
            characters = sum(kind.characters for kind in kinds.values())
            for name in sorted(kinds, key=natural_sort_key):
                kind = kinds[name]
                if breakdown and kind.characters:
                    per_character, share = kind.nats / kind.characters, kind.characters / characters
                    rows.append([group, run, breakdown.set, way, name, kind.characters, share, per_character])
    columns = ["group", "run", "set", "way", "kind", "characters", "share", "nats_per_character"]
    return pd.DataFrame(rows, columns=columns)


def breakdown_chart(table: pd.DataFrame, style: GroupStyle) -> AnyChart:
    """Return a row of small charts, one for each way to divide the text."""
    charts = []
    for way, rows in table.groupby("way", sort=False):
        order = list(dict.fromkeys(rows["kind"]))
        encoded = (
            alt.Chart(rows)
            .mark_line(point=True)
            .encode(
                x=alt.X("kind:N", title=str(way), sort=order, axis=alt.Axis(labelAngle=-40, labelLimit=140)),
                y=alt.Y("nats_per_character:Q", title="nats per character", scale=alt.Scale(zero=False)),
                color=style.line_colour,
                tooltip=["group:N", "kind:N", alt.Tooltip("nats_per_character:Q", format=".3f")],
            )
        )
        charts.append(encoded.properties(width=max(120, 30 * len(order)), height=220))
    chart: AnyChart = alt.hconcat(*charts).resolve_scale(color="shared")
    return chart
