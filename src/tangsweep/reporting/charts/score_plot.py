"""The picture at the top of a report: the score of every group with its interval, beside the baselines."""

from collections.abc import Mapping
from typing import Literal

import altair as alt
import pandas as pd

from tangsweep.reporting.analysis.ranking import RankedGroup, Ranking
from tangsweep.reporting.blocks import AnyChart, Chart
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.formatting import format_percent_difference
from tangsweep.reporting.text.ranking_table import score_heading

MOST_GROUPS = 25
ROW_HEIGHT, WIDTH = 26, 760  # pixels
BASELINES = ("unigram", "bigram")
MAX_WIDENING = 1.5  # an interval that leaves the scores' range by this factor runs out of the picture
FAR_BASELINE = 3.0  # a baseline that is this many times the highest score is left out
PERPLEXITY = (
    "Perplexity is the number of equally likely characters that a model is in doubt between: further left is "
    "better."
)
BASELINE_WORDS = "Dashed: what counting characters (unigram) or pairs of them (bigram) reaches."
DIFFERENCE_WORDS = (
    "In parentheses its 95 % interval, one for each difference, not corrected for their number."
)
MAX_DRAWN = 1e20


def score_chart(ranking: Ranking, values: Mapping[str, str]) -> Chart | None:
    """Return a dot for each group with its interval and its seeds; None where fewer than two have a score.

    `values` are what the runs stand for, which the colours show.
    """
    groups = [group for group in ranking.groups if group.score][:MOST_GROUPS]
    if len(groups) < 2:
        return None
    names = [group.name for group in groups]
    rows = pd.DataFrame([_score_row(ranking, group) for group in groups])
    seeds = pd.DataFrame(
        [
            {"group": group.name, "score": ranking.comparable.shown(score), "seed": seed}
            for group in groups
            for seed, score in group.scores.items()
        ]
    )
    runs = ranking.comparable.runs
    style = GroupStyle.of_runs(runs[runs["group"].isin(names)], values, names)
    baselines = _baselines(ranking, rows["score"])
    chart = _draw(ranking, rows, seeds, baselines, style)
    return Chart.from_altair("scores", _explain_marks(ranking, has_baselines=len(baselines) > 0), chart)


def _score_row(ranking: Ranking, group: RankedGroup) -> dict[str, str | float | None]:
    comparable, interval = ranking.comparable, group.interval
    assert group.score is not None
    low = high = None
    if interval and interval.low is not None and interval.high is not None and not comparable.by_accuracy:
        low, high = comparable.shown(interval.low), comparable.shown(interval.high)
    return {
        "group": group.name,
        "score": comparable.shown(group.score.mean),
        "low": low,
        "high": high,
        "compared": "yes" if group.compared else "no: some runs are missing or failed",
        "difference": _format_difference(ranking, group),
    }


def _format_difference(ranking: Ranking, group: RankedGroup) -> str | None:
    """Return the difference to the first group with its interval; None where there is none to show."""
    if ranking.comparable.by_accuracy or not group.compared or group.difference_interval is None:
        return None
    return format_percent_difference(group.difference_interval)


def _explain_marks(ranking: Ranking, has_baselines: bool) -> str:
    left_out = max(0, sum(bool(group.score) for group in ranking.groups) - MOST_GROUPS)
    sentences = []
    if ranking.comparable.by_accuracy:
        sentences.append("Dots are means, small marks single seeds.")
    else:
        if all(len(group.scores) < 2 for group in ranking.groups):
            lines = ", lines 95 % intervals over other texts" if ranking.text else ""
            sentences.append(f"Dots are the scores of one seed{lines}: other seeds may move them further.")
        else:
            drawn = "seeds and test texts were drawn anew" if ranking.text else "other seeds read this text"
            sentences.append(
                f"Dots are means, lines their 95 % intervals, as if {drawn}; small marks are single seeds."
            )
        sentences.append(PERPLEXITY)
        sentences += [BASELINE_WORDS] if has_baselines else []
        if any(_format_difference(ranking, group) for group in ranking.groups):
            sentences.append(
                f"At the right, in a wide window: how far above {ranking.groups[0].name}. {DIFFERENCE_WORDS}"
            )
    if left_out:
        sentences.append(f"{left_out} more groups are in the ranking.")
    return " ".join(sentences)


def _baselines(ranking: Ranking, scores: pd.Series) -> pd.DataFrame:
    """Return the baselines that are near enough to the scores to be drawn beside them."""
    finite = scores[scores < MAX_DRAWN]
    highest = float(finite.max()) if len(finite) else 1.0
    comparable, rows = ranking.comparable, []
    for name in BASELINES if not comparable.by_accuracy else ():
        column = f"{comparable.ranked_by.set}_known_{name}" if comparable.ranked_by.known else name
        values = comparable.runs[column].dropna()
        if len(values) and float(values.iloc[0]) < FAR_BASELINE * highest:
            rows.append({"baseline": name, "score": float(values.iloc[0])})
    return pd.DataFrame(rows, columns=["baseline", "score"]).sort_values("score")


def _draw(
    ranking: Ranking, rows: pd.DataFrame, seeds: pd.DataFrame, baselines: pd.DataFrame, style: GroupStyle
) -> AnyChart:
    scale = _score_scale(ranking, rows, baselines)
    better = "higher is better" if ranking.comparable.by_accuracy else "logarithmic; lower is better"
    title = [score_heading(ranking.comparable), better]  # two lines: a phone is narrow
    x = alt.X("score:Q", title=title, scale=scale)
    y = alt.Y("group:N", sort=style.groups, title=None, axis=alt.Axis(labelLimit=260, labelFontSize=13))
    colour = style.colour_without_legend
    tooltip = [
        "group:N",
        *(alt.Tooltip(f"{column}:Q", format=",.4~g") for column in ("score", "low", "high")),
    ]
    bars = alt.Chart(rows.dropna(subset=["low"])).mark_rule(strokeWidth=3, clip=True, opacity=0.75)
    dots = alt.Chart(rows).mark_point(size=130, filled=True, opacity=1, clip=True)
    marks = alt.Chart(seeds).mark_tick(thickness=1.5, height=12, opacity=0.55, clip=True)
    layers = [
        bars.encode(
            x=alt.X("low:Q", title=title, scale=scale), x2="high:Q", y=y, color=colour, tooltip=tooltip
        ),
        marks.encode(x=x, y=y, color=colour, tooltip=["group:N", "seed:O", "score:Q"]),
        dots.encode(x=x, y=y, color=colour, tooltip=[*tooltip, "compared:N"]),
    ]
    if rows["difference"].notna().any():
        layers.append(_differences(rows, y))
    if len(baselines):
        rules = alt.Chart(baselines).mark_rule(strokeDash=[5, 4], color="#7b8391").encode(x=x)
        layers.append(rules)
        # Names on outer sides, because baselines may lie close to each other.
        for of_side, to_the_left in ((baselines[:-1], True), (baselines[-1:], False)):
            layers += [_baseline_names(of_side, x, to_the_left)] if len(of_side) else []
    return alt.layer(*layers).properties(width=WIDTH, height=ROW_HEIGHT * len(rows) + 6)


def _differences(rows: pd.DataFrame, y: alt.Y) -> AnyChart:
    """Return the differences to the first group as a column of text at the right, with its heading."""
    heading = pd.DataFrame({"heading": [f"above {rows['group'].iloc[0]}"]})
    x = alt.value(WIDTH + 12)
    text = alt.Chart(rows.dropna(subset=["difference"])).mark_text(align="left", fontSize=12)
    head = alt.Chart(heading).mark_text(align="left", baseline="bottom", fontSize=11, fontWeight="bold")
    column = alt.layer(
        text.encode(x=x, y=y, text="difference:N"), head.encode(x=x, y=alt.value(-4), text="heading:N")
    )
    return column.properties(name="wide_only")  # page.html leaves it out where there is no room


def _baseline_names(baselines: pd.DataFrame, x: alt.X, to_the_left: bool) -> alt.Chart:
    align: Literal["left", "right"] = "right" if to_the_left else "left"
    label = alt.Chart(baselines).mark_text(
        align=align, dx=-4 if to_the_left else 4, dy=4, baseline="top", fontSize=12
    )
    names: alt.Chart = label.encode(x=x, y=alt.value(0), text="baseline:N")
    return names


def _score_scale(ranking: Ranking, rows: pd.DataFrame, baselines: pd.DataFrame) -> alt.Scale:
    """Return the scale: accuracies from 0 to 1, perplexities logarithmic around scores and baselines.

    The interval of two seeds may be enormous; it does not decide how far the axis goes.
    """
    if ranking.comparable.by_accuracy:
        return alt.Scale(domain=[0, 1])
    scores = pd.concat([rows["score"], baselines["score"]]).astype(float)
    scores = scores[scores < MAX_DRAWN]
    if scores.empty:
        return alt.Scale(type="log")
    lowest, highest = float(scores.min()), float(scores.max())
    lows, highs = rows["low"].astype(float).dropna(), rows["high"].astype(float).dropna()
    low = max([lowest / MAX_WIDENING, *lows.nsmallest(1)]) if len(lows) else lowest
    high = min([highest * MAX_WIDENING, *highs.nlargest(1)]) if len(highs) else highest
    return alt.Scale(type="log", domain=[min(low, lowest) / 1.03, max(high, highest) * 1.12], nice=False)
