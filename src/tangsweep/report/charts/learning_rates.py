"""How much each optimizer depends on its learning rate, after DeepOBS (Schneider, Balles and Hennig 2019).

Its protocol: each optimizer with a grid of its own, the best point by the development score, several seeds.
"""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from tangsweep.report.analysis.statistics import interval
from tangsweep.report.charts.group_style import GroupStyle
from tangsweep.report.data.comparability import ComparableRuns
from tangsweep.report.data.groups import without

KEY = "optimizer.lr"
WITHIN = 1.1  # robust: within 10 % of the best perplexity
APART = 0.95  # several that diverged at one rate stand below each other
COLUMNS = ["group", "rate", "score", "low", "high", "seeds", "of", "diverged", "best"]


def table(part: ComparableRuns, configs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row a group and learning rate: mean development perplexity at the best epoch over its seeds.

    `group` is what is left of a run's group without its rate. A rate at which a run diverged has no score.
    Nothing where perplexity does not rank, or where no group has two rates.
    """
    if part.by_accuracy:
        return pd.DataFrame(columns=COLUMNS)
    rates = pd.Series(
        [configs[run].get(KEY) for run in part.runs["run"]], index=part.runs.index, dtype=object
    )
    runs = part.runs.assign(rate=pd.to_numeric(rates, errors="coerce"))
    runs = runs[runs["rate"].notna()].assign(
        group=lambda r: r["group"].map(lambda group: without(group, "lr"))
    )
    by_rate: Any = runs.groupby(["group", "rate"])
    rows = [_row(str(group), float(rate), same) for [group, rate], same in by_rate]
    found = pd.DataFrame(rows, columns=COLUMNS)
    several = found.groupby("group")["rate"].transform("nunique") > 1
    found = found[several].copy()
    best = found.groupby("group")["score"].transform("min")
    found["best"] = found["score"].notna() & (found["score"] == best)
    return found.reset_index(drop=True)


def _row(group: str, rate: float, runs: pd.DataFrame) -> dict[str, Any]:
    ended = runs[runs["status"] == "done"]
    scores = pd.to_numeric(ended["dev_perplexity"], errors="coerce").dropna().tolist()
    found = interval(scores) if (runs["status"] != "diverged").all() else None
    finite = found if found and found.mean < float("inf") else None
    return {
        "group": group,
        "rate": rate,
        "score": finite.mean if finite else None,
        "low": finite.low if finite else None,
        "high": finite.high if finite else None,
        "seeds": len(scores),
        "of": len(runs),
        "diverged": bool((runs["status"] == "diverged").any()),
    }


def robustness(found: pd.DataFrame) -> dict[str, float]:
    """Of each group the share of its rates that ended whose mean lies within 10 % of its best."""
    ended = found[found["score"].notna() | found["diverged"]]
    return {
        str(group): float((same["score"] <= WITHIN * same["score"].min()).mean())
        for group, same in ended.groupby("group")
    }


def at_the_edge(found: pd.DataFrame) -> list[str]:
    """Groups whose best rate is the least or the largest that was tried: a better one may lie beyond."""
    edges = []
    for group, same in found.groupby("group"):
        best = same[same["best"]]["rate"]
        if len(best) and best.iloc[0] in (same["rate"].min(), same["rate"].max()):
            edges.append(f"{group} (best at {best.iloc[0]:g})")
    return edges


def chart(found: pd.DataFrame, look: GroupStyle) -> alt.LayerChart | alt.FacetChart:
    """Rates without a score stand at the top edge."""
    scored = found.dropna(subset=["score"])
    room = 1.5 if found["diverged"].any() else 1.1
    top = float(scored["score"].max() * room) if len(scored) else 1.0
    x = alt.X(
        "rate:Q",
        title="learning rate",
        scale=alt.Scale(type="log", nice=False, padding=20),
        axis=alt.Axis(format="~g"),
    )
    lowest = float(scored["score"].min() / 1.3) if len(scored) else 0.1
    # Two seeds may have intervals beyond any paper.
    within = alt.Scale(type="log", domain=[lowest, top * 1.1], nice=False)
    y = alt.Y("score:Q", title="development perplexity", scale=within)
    tip = ["group:N", "rate:Q", alt.Tooltip("score:Q", format=".1f"), "seeds:Q", "of:Q"]
    lines = alt.Chart(scored).mark_line(point=True).encode(x=x, y=y, color=look.colour, tooltip=tip)
    bars = alt.Chart(scored.dropna(subset=["low"])).mark_rule(clip=True).encode(
        x=x, y=alt.Y("low:Q"), y2="high:Q", color=look.colour
    )  # fmt: skip
    best = alt.Chart(scored[scored["best"]]).mark_point(size=170, strokeWidth=2).encode(
        x=x, y=y, color=look.colour, tooltip=tip
    )  # fmt: skip
    lost = found[found["score"].isna() & found["diverged"]]
    lost = lost.assign(score=top * APART ** lost.groupby("rate").cumcount())
    edge = alt.Chart(lost).mark_point(shape="triangle-up", size=110, filled=True).encode(
        x=x, y=y, color=look.colour, tooltip=["group:N", "rate:Q"]
    )  # fmt: skip
    return alt.layer(lines, bars, best, *([edge] if len(lost) else [])).properties(width=560, height=320)
