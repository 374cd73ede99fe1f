"""How much each optimizer depends on its learning rate, after DeepOBS (Schneider, Balles and Hennig 2019).

In that protocol each optimizer has a grid of its own. Its best point is chosen by the mean development score
over several seeds.
"""

import math
from collections.abc import Iterable, Mapping

import altair as alt
import pandas as pd

from tangsweep.metrics import perplexity_of
from tangsweep.reporting.analysis.statistics import confidence_interval
from tangsweep.reporting.blocks import AnyChart, Block, Chart, Section, Table
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.groups import remove_key
from tangsweep.reporting.data.run_files import FlatConfig

RATE_KEY = "optimizer.lr"
NEAR_BEST = 1.1  # a rate within 10 % of the group's best perplexity
STACKING = 0.95  # several groups that diverged at one rate are drawn below each other
COLUMNS = ["group", "rate", "score", "low", "high", "seeds", "of", "diverged", "best"]
CAPTION = (
    "In the manner of DeepOBS (Schneider, Balles and Hennig 2019): each optimizer over its own grid, "
    "judged by its development perplexity at the best epoch: exp of the mean loss over seeds, with Student's "
    "interval. A ring marks the best rate."
)
DIVERGED = " A triangle at the top edge marks a rate that diverged."


def learning_rate_section(rates: pd.DataFrame, values: Iterable[str]) -> Section | None:
    """Return the section with scores against learning rates, from their table.

    `values` are all that the report compares. It is None where no group has two learning rates, or where
    accuracy ranks.
    """
    if rates.empty:
        return None
    near_best = sorted(share_near_best(rates).items(), key=lambda pair: -pair[1])
    rows = [[group, f"{share:.0%}"] for group, share in near_best]
    blocks: list[Block] = [
        Chart.from_altair(
            "learning_rates",
            CAPTION + (DIVERGED if rates["diverged"].any() else ""),
            learning_rate_chart(rates, values),
        ),
        Table(
            ["group", "share of rates within 10 % of its best"],
            rows,
            "Of the rates that were tried, by their mean scores: a count of few, without an interval, and "
            "another grid has another share.",
        ),
    ]
    unfinished = int((rates["score"].isna() & ~rates["diverged"]).sum())
    if unfinished:
        blocks.append(f"{unfinished} rates are left out, because none of their runs ended.")
    edges = ", ".join(best_at_grid_edge(rates))
    warnings = [f"Best learning rate at the edge of its grid: {edges}."] if edges else []
    if edges:
        blocks.append(f"The best rate is at the edge of its grid, so a better one may lie beyond: {edges}.")
    return Section("Learning rates", blocks, {"learning_rates": rates}, warnings)


def learning_rate_table(comparable: ComparableRuns, configs: Mapping[str, FlatConfig]) -> pd.DataFrame:
    """Return one row per group and learning rate: mean development perplexity at the best epoch over seeds.

    It is over known characters where those rank. `group` is the name of a run's group without its rate. A
    rate at which a run diverged has no score. The table is empty where accuracy ranks, and groups with a
    single rate are left out.
    """
    if comparable.by_accuracy:
        return pd.DataFrame(columns=COLUMNS)
    runs = comparable.runs
    rates = pd.Series([configs[run].get(RATE_KEY) for run in runs["run"]], index=runs.index, dtype=object)
    runs = runs.assign(rate=pd.to_numeric(rates, errors="coerce"))
    runs = runs[runs["rate"].notna()]
    runs = runs.assign(group=runs["group"].map(lambda group: remove_key(group, "lr")))
    rows = []
    for key, same in runs.groupby(["group", "rate"]):
        group, rate = map(str, key)
        rows.append(_rate_row(group, float(rate), same, development_column(comparable)))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = table[table.groupby("group")["rate"].transform("nunique") > 1].copy()
    best = table.groupby("group")["score"].transform("min")
    table["best"] = table["score"].notna() & (table["score"] == best)
    return table.reset_index(drop=True)


def development_column(comparable: ComparableRuns) -> str:
    """Return the column of development perplexities that settings are chosen by."""
    return "dev_known_perplexity" if comparable.ranked_by.known else "dev_perplexity"


def _rate_row(group: str, rate: float, runs: pd.DataFrame, column: str) -> dict[str, str | float | None]:
    diverged = bool((runs["status"] == "diverged").any())
    ended = runs[runs["status"] == "done"]
    perplexities = pd.to_numeric(ended[column], errors="coerce").dropna()
    scores = [math.log(perplexity) for perplexity in perplexities if perplexity > 0]
    interval = None if diverged else confidence_interval(scores)
    finite = interval if interval and interval.mean < math.inf else None
    return {
        "group": group,
        "rate": rate,
        "score": perplexity_of(finite.mean) if finite else None,
        "low": perplexity_of(finite.low) if finite and finite.low is not None else None,
        "high": perplexity_of(finite.high) if finite and finite.high is not None else None,
        "seeds": len(scores),
        "of": len(runs),
        "diverged": diverged,
    }


def share_near_best(rates: pd.DataFrame) -> dict[str, float]:
    """Return, for each group, the share of its learning rates whose mean is at most 10 % above its best.

    A rate that diverged stays in the denominator; one without an ended run is left out.
    """
    ended = rates[rates["score"].notna() | rates["diverged"]]
    return {
        str(group): float((rows["score"] <= NEAR_BEST * rows["score"].min()).mean())
        for group, rows in ended.groupby("group")
    }


def best_at_grid_edge(rates: pd.DataFrame) -> list[str]:
    """Return the groups whose best rate is the lowest or highest tried: a better one may lie beyond."""
    edges = []
    for group, rows in rates.groupby("group"):
        best = rows[rows["best"]]["rate"]
        if len(best) and best.iloc[0] in (rows["rate"].min(), rows["rate"].max()):
            edges.append(f"{group} (best at {best.iloc[0]:g})")
    return edges


def learning_rate_chart(rates: pd.DataFrame, values: Iterable[str]) -> AnyChart:
    """Return perplexity against the rate; rates that diverged stand at the top edge."""
    colour = GroupStyle(rates["group"], values).line_colour
    scored = rates.dropna(subset=["score"])
    headroom = 1.5 if rates["diverged"].any() else 1.1
    top = float(scored["score"].max() * headroom) if len(scored) else 1.0
    bottom = float(scored["score"].min() / 1.3) if len(scored) else 0.1
    x_scale = alt.Scale(type="log", nice=False, padding=20)
    x = alt.X("rate:Q", title="learning rate", scale=x_scale, axis=alt.Axis(format="~g"))
    # The domain is fixed, because the interval of two seeds may be enormous.
    y_scale = alt.Scale(type="log", domain=[bottom, top * 1.1], nice=False)
    y = alt.Y("score:Q", title="development perplexity", scale=y_scale)
    tooltip = ["group:N", "rate:Q", alt.Tooltip("score:Q", format=".1f"), "seeds:Q", "of:Q"]
    lines = alt.Chart(scored).mark_line(point=True).encode(x=x, y=y, color=colour, tooltip=tooltip)
    bars = alt.Chart(scored.dropna(subset=["low"])).mark_rule(clip=True).encode(
        x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour
    )  # fmt: skip
    best = alt.Chart(scored[scored["best"]]).mark_point(size=170, strokeWidth=2).encode(
        x=x, y=y, color=colour, tooltip=tooltip
    )  # fmt: skip
    diverged = rates[rates["score"].isna() & rates["diverged"]]
    diverged = diverged.assign(score=top * STACKING ** diverged.groupby("rate").cumcount())
    edge = alt.Chart(diverged).mark_point(shape="triangle-up", size=110, filled=True).encode(
        x=x, y=y, color=colour, tooltip=["group:N", "rate:Q"]
    )  # fmt: skip
    layers = [lines, bars, best, *([edge] if len(diverged) else [])]
    return alt.layer(*layers).properties(width=560, height=320)
