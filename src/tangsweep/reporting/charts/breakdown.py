"""Where the nats go: what characters of each kind cost the best run of each group."""

import altair as alt
import pandas as pd

from tangsweep.reporting.analysis.ranking import Ranking, best_runs
from tangsweep.reporting.blocks import AnyChart, Block, Chart, Section, Table
from tangsweep.reporting.charts.group_style import GroupStyle, natural_sort_key
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.formatting import format_percent, format_two_decimals

MOST_GROUPS = 8  # the first of the ranking
FREQUENCY = "frequency in training"
TITLES = {FREQUENCY: "how often training shows the character", "slot": "part of the line"}
CAPTION = (
    "Further left is better predicted: nats per character of each kind, over the {set} set, with the kind's "
    "share of all scored characters behind its name. Of each group the run with the best development score "
    "counts: one run, with its luck, so that groups differ by other amounts. Unknown characters are among "
    "them; by frequency they are those that training never shows."
)
NOTE = "Nats per character. Share: of all scored characters. Perplexity hides where a model is good and bad."
PANEL_WIDTH = 330


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
                kind_label(str(kind["way"]), str(kind["kind"])),
                format_percent(kind["share"]),
                *(format_two_decimals(_cell(same, group)) for group in groups),
            ]
        )
    name = "test" if first["set"].iloc[0] == "test" else "development"
    style = GroupStyle.of_runs(drawn, data.values, groups)
    chart = Chart.from_altair("breakdown", CAPTION.format(set=name), breakdown_chart(drawn, style))
    headings = ["divided by", "kind", "share", *groups]
    sentence = describe_dearest(first)
    blocks: list[Block] = [*([sentence] if sentence else []), chart]
    blocks.append(Table(headings, rows, NOTE, text_columns=2))
    return Section("Where the nats go", blocks, {"breakdown": table})


def _cell(same: pd.DataFrame, group: str) -> float | None:
    values = same.loc[same.index == group, "nats_per_character"]
    return float(values.iloc[0]) if len(values) else None


def kind_label(way: str, kind: str) -> str:
    """Return a kind in words: `2. 2 to 4` of a frequency is `2 to 4 times`."""
    if way != FREQUENCY:
        return kind
    words = kind.partition(". ")[2] or kind
    plain = {"never": "never", "1": "once"}
    return plain.get(words) or f"{words.removesuffix(' and more')} times{' or more' * words.endswith('more')}"


def describe_dearest(rows: pd.DataFrame) -> str:
    """Return one sentence: which frequency of characters makes most of a group's loss; empty without any."""
    rows = rows[rows["way"] == FREQUENCY]
    if rows.empty:
        return ""
    nats = rows["nats_per_character"] * rows["characters"]
    dearest = rows.iloc[int(nats.to_numpy(float).argmax())]
    label = kind_label(FREQUENCY, str(dearest["kind"]))
    shown = "never shows" if label == "never" else f"shows {label}"
    return (
        f"{nats.max() / nats.sum():.0%} of the loss of {dearest['group']}'s run lies in characters that "
        f"training {shown}, which are {dearest['share']:.0%} of the text."
    )


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
    """Return a panel for each way to divide the text, with a row of dots for each kind, on one scale."""
    scale = alt.Scale(domain=[0, float(table["nats_per_character"].max()) * 1.04], nice=False)
    panels = [_panel(str(way), rows, style, scale) for way, rows in table.groupby("way", sort=False)]
    chart: alt.ConcatChart = alt.concat(*panels, columns=2, spacing=30)
    return chart


def _panel(way: str, rows: pd.DataFrame, style: GroupStyle, scale: alt.Scale) -> AnyChart:
    labels = [
        f"{kind_label(way, kind)} · {format_percent(share)}"
        for kind, share in zip(rows["kind"], rows["share"], strict=True)
    ]
    rows = rows.assign(label=labels)
    order = list(dict.fromkeys(labels))
    axis = alt.Axis(labelLimit=230, labelFontSize=12, domain=False, ticks=False)
    y = alt.Y("label:N", title=None, sort=order, axis=axis)
    x = alt.X("nats_per_character:Q", title="nats per character", scale=scale)
    base = alt.Chart(rows).encode(y=y)
    spans = base.mark_rule(strokeWidth=5, opacity=0.18, color="#7b8391").encode(
        x=alt.X("min(nats_per_character):Q", title="nats per character", scale=scale),
        x2="max(nats_per_character):Q",
    )
    dots = base.mark_point(filled=True, size=85, opacity=0.95).encode(
        x=x,
        color=style.fill_colour,
        tooltip=["group:N", "label:N", alt.Tooltip("nats_per_character:Q", format=".3f")],
    )
    title = alt.TitleParams(TITLES.get(way, way), anchor="start", fontSize=13)
    return alt.layer(spans, dots).properties(width=PANEL_WIDTH, height=alt.Step(24), title=title)
