"""How good the best trial is after so many trials, or so much training: what a comparison costs to tune."""

import altair as alt
import numpy as np
import pandas as pd

from tangsweep.reporting.analysis.budgets import RESAMPLES, median_best_curve
from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.analysis.tuning_trials import (
    SCORES,
    Budget,
    TuningTrials,
    budget_table,
    probability_points,
    tuning_trials,
)
from tangsweep.reporting.blocks import AnyChart, Block, Chart, Section
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns

MODEL_BASED = ("tpe", "gp")  # values of search.sampler whose trials depend on earlier ones
WIDTH = 430  # pixels of a panel
MARKED_POINTS = 30  # charts with more are drawn without points
CUT_FACTOR = 2.0  # a band that reaches above this multiple of all curves is cut
CAVEAT = (
    "The curves belong to the draws that were made: of a grid they are draws from its values, so a wider or "
    "luckier grid gives other curves. They say nothing about searches that learn from earlier trials."
)
READING = (
    "Above: how good the best of so many trials is; lower is better. "
    "Below: how often each has the best of all."
)
SECONDS = (
    "Seconds are k times the mean of a group's runs, failed ones too; into a time fit whole runs alone. "
    "Runs at the same time slow each other down."
)
CHANCE = (
    f"The chance of having the best is the share of {RESAMPLES:,} draws without replacement, ties shared "
    "(Sivaprasad et al. 2020)."
)


def budget_section(data: SweepData, ranking: Ranking) -> Section | None:
    """Return the section with the best of k trials for each value that is compared.

    None where fewer than two values have trials of at least four settings each, where accuracy ranks or
    nearly all trials diverged, and where trials were chosen by earlier ones or paused: then they are no
    independent draws.
    """
    comparable = ranking.comparable
    if comparable.by_accuracy or _is_adaptive(data, comparable):
        return None
    trials = tuning_trials(data, comparable)
    table = budget_table(trials) if trials else None
    if trials is None or table is None or not np.isfinite(table["expected_best"]).any():
        return None
    style = GroupStyle(table["group"], data.values.values())
    budgets: list[Budget] = ["trials", "seconds"] if (table["seconds"] > 0).all() else ["trials"]
    columns = [
        alt.vconcat(
            best_chart(table, style, budget, _score_title(trials)),
            chance_chart(probability_points(table, trials, budget), style, budget),
        )
        for budget in budgets
    ]
    caption = " ".join(
        [READING, _describe_curves(trials), *([SECONDS] if "seconds" in budgets else []), CHANCE]
    )
    blocks: list[Block] = [
        describe_chances(table),
        Chart.from_altair("budgets", caption, alt.hconcat(*columns, spacing=40)),
    ]
    if trials.omissions:
        blocks.append(" ".join(trials.omissions))
    return Section("Budgets", blocks, {"budgets": table})


def _is_adaptive(data: SweepData, comparable: ComparableRuns) -> bool:
    """Return whether a sweep of these runs chose trials by earlier ones, or paused bad ones."""
    runs = data.runs[data.runs["sweep"].isin(comparable.runs["sweep"])]
    configs = [data.configs[run] for run in runs["run"]]
    is_model_based = any(c.get("search.trials") and c.get("search.sampler") in MODEL_BASED for c in configs)
    return is_model_based or bool((runs["status"] == "paused").any())


def describe_chances(table: pd.DataFrame) -> str:
    """Return one sentence: who would have the best trial after one each, and after as many as all have."""
    chances = table.dropna(subset=["probability_best"])
    first, last = (chances[chances["trials"] == k] for k in (1, chances["trials"].max()))
    shares = [_likeliest(of_k) for of_k in (first, last)]
    begin = f"Drawn from these runs, and by development score: with one trial each, {shares[0]} of draws"
    more = last["trials"].max()
    return f"{begin}." if more == 1 else f"{begin}; with {more} each, {shares[1]}."


def _likeliest(of_k: pd.DataFrame) -> str:
    """Return who has the best trial most often, and who comes next: a share alone says too much."""
    rows = of_k.sort_values("probability_best", ascending=False).head(2)
    texts = [f"{row['group']} in {row['probability_best']:.0%}" for _, row in rows.iterrows()]
    return f"the best is that of {' and of '.join(texts)}"


def _score_title(trials: TuningTrials) -> str:
    which = "median" if trials.curve is median_best_curve else "expected"
    return f"{which} best development perplexity{', known characters' if trials.is_known else ''}"


def _describe_curves(trials: TuningTrials) -> str:
    """Return the caption: what a trial is, the formula with its source, and what the curves cannot say."""
    if trials.curve is median_best_curve:
        formula = (
            "The median of the best of k: the smallest score that at least half of all choices of k trials "
            "reach. A trial that diverged or failed is worse than any score, so there is no mean; nothing is "
            "drawn where half of the choices hold no other trial."
        )
    else:
        formula = (
            "The mean of the best of k over all choices of k trials, unbiased where trials are drawn "
            'independently (Tang et al. 2020, "Showing Your Work Doesn\'t Always Work"); of losses, shown as '
            "perplexity."
        )
    return (
        "A trial is one run: a setting with one seed. Its score is the development loss "
        f"{'over known characters ' if trials.is_known else ''}at its best epoch. {formula} Bands are 95 % "
        f"bootstrap intervals over settings, too narrow towards their right ends. {CAVEAT}"
    )


def best_chart(table: pd.DataFrame, style: GroupStyle, budget: Budget, title: str) -> AnyChart:
    """Return the best of k with its band against a budget."""
    drawn = table[np.isfinite(table["expected_best"])]
    bottom, top = float(drawn["low"].min()) / 1.02, CUT_FACTOR * float(drawn["expected_best"].max())
    top = min(float(drawn["high"].max()), top) * 1.02
    drawn = drawn.assign(cut=drawn["high"].clip(upper=top))  # JSON has no infinity
    scale = alt.Scale(type="log", domain=[bottom, top], nice=False)
    scores = [alt.Tooltip(f"{column}:Q", format=".1f") for column in SCORES]
    tooltip = ["group:N", "trials:Q", alt.Tooltip("seconds:Q", format=".1f"), *scores]
    base = alt.Chart(drawn).encode(x=_budget_axis(budget), color=style.line_colour)
    band = base.mark_area(opacity=1, fillOpacity=0.1, clip=True).encode(y="low:Q", y2="cut:Q")
    line = base.mark_line(point=len(drawn) <= MARKED_POINTS, strokeWidth=2.4).encode(
        y=alt.Y("expected_best:Q", title=None, scale=scale), strokeDash=style.dash, tooltip=tooltip
    )
    return alt.layer(band, line).properties(width=WIDTH, height=260, title=_panel_title(title))


def _panel_title(text: str) -> alt.TitleParams:
    """A title to read without turning the head, in place of a y axis'."""
    return alt.TitleParams(text, anchor="start", fontSize=13, fontWeight="normal")


def _budget_axis(budget: Budget) -> alt.X:
    axis = alt.Axis(format="d", tickMinStep=1) if budget == "trials" else alt.Axis(format="~s")
    title = "trials of each" if budget == "trials" else "seconds of training of each"
    return alt.X(f"{budget}:Q", title=title, axis=axis, scale=alt.Scale(zero=False, nice=False))


def chance_chart(points: pd.DataFrame, style: GroupStyle, budget: Budget) -> alt.Chart:
    """Return the probabilities of being the best against a budget, a line for each group."""
    lines = alt.Chart(points).mark_line(
        interpolate="linear" if budget == "trials" else "step-after",
        point=budget == "trials" and len(points) <= MARKED_POINTS,
        strokeWidth=2.4,
    )
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format="%", tickCount=5)
    chart: alt.Chart = lines.encode(
        x=_budget_axis(budget),
        y=alt.Y("probability_best:Q", title=None, scale=scale, axis=axis),
        color=style.line_colour,
        strokeDash=style.dash,
        tooltip=["group:N", f"{budget}:Q", alt.Tooltip("probability_best:Q", format=".0%")],
    )
    return chart.properties(width=WIDTH, height=160, title=_panel_title("chance of having the best of all"))
