"""How good the best trial is after so many trials, or so much training: what a comparison costs to tune."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from tangsweep.config.overrides import varied_keys, varied_values
from tangsweep.metrics import perplexity_of
from tangsweep.reporting.analysis.budgets import (
    RESAMPLES,
    BudgetCurve,
    bootstrap_band,
    expected_best_curve,
    median_best_curve,
    probability_by_seconds,
    probability_of_best,
)
from tangsweep.reporting.analysis.ranking import FAILURES, Ranking
from tangsweep.reporting.analysis.tuning import confirming_seeds
from tangsweep.reporting.blocks import AnyChart, Block, Chart, Section
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.formatting import format_names

MIN_SETTINGS = 4  # of each group; fewer show no distribution
MODEL_BASED = ("tpe", "gp")  # values of search.sampler whose trials depend on earlier ones
MARKED_POINTS = 30  # charts with more are drawn without points
CUT_FACTOR = 2.0  # a band that reaches above this multiple of all curves is cut
Budget = Literal["trials", "seconds"]  # a column of the table
SCORES = ("expected_best", "low", "high")
COLUMNS = ["group", "trials", *SCORES, "seconds", "probability_best"]
CAVEAT = (
    "The curves belong to the draws that were made: of a grid they are draws from its values, so a wider or "
    "luckier grid gives other curves. They say nothing about searches that learn from earlier trials."
)
SECONDS_CAPTION = "At k times the mean seconds of a group's runs, failed ones too; runs slow each other down."
PROBABILITY_CAPTION = (
    "The probability that a group has the best trial, when each makes so many trials, or as many whole runs "
    f"as fit into the seconds: the share of {RESAMPLES:,} draws without replacement, ties shared (Sivaprasad "
    "et al. 2020)."
)


class TuningTrials(NamedTuple):
    """The trials of a comparison, one row of `runs` per run: group, setting, loss (∞: failed), seconds."""

    runs: pd.DataFrame
    is_known: bool  # losses over the characters in the training vocabulary alone
    omissions: list[str]  # sentences

    @property
    def curve(self) -> BudgetCurve:
        """The mean; the median of all groups where a trial of one diverged, because that mean is infinite."""
        return median_best_curve if np.isinf(self.runs["loss"]).any() else expected_best_curve

    @property
    def by_group(self) -> dict[str, pd.DataFrame]:
        return {str(group): rows for group, rows in self.runs.groupby("group")}

    @property
    def scores(self) -> list[np.ndarray]:
        """The losses of each group, (B,), in the order of `by_group`."""
        return [rows["loss"].to_numpy(float) for rows in self.by_group.values()]


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
    style = GroupStyle(table["group"])
    budgets: list[Budget] = ["trials", "seconds"] if (table["seconds"] > 0).all() else ["trials"]
    captions = {"trials": _describe_curves(trials), "seconds": SECONDS_CAPTION}
    blocks: list[Block] = [
        Chart.from_altair(
            f"best_by_{budget}", captions[budget], best_chart(table, style, budget, _score_title(trials))
        )
        for budget in budgets
    ]
    areas = [area_chart(probability_points(table, trials, budget), style, budget) for budget in budgets]
    blocks.append(Chart.from_altair("probability_best", PROBABILITY_CAPTION, alt.hconcat(*areas)))
    if trials.omissions:
        blocks.append(" ".join(trials.omissions))
    return Section("Budgets", blocks, {"budgets": table})


def _is_adaptive(data: SweepData, comparable: ComparableRuns) -> bool:
    """Return whether a sweep of these runs chose trials by earlier ones, or paused bad ones."""
    runs = data.runs[data.runs["sweep"].isin(comparable.runs["sweep"])]
    is_model_based = any(data.configs[run].get("search.sampler") in MODEL_BASED for run in runs["run"])
    return is_model_based or bool((runs["status"] == "paused").any())


def tuning_trials(data: SweepData, comparable: ComparableRuns) -> TuningTrials | None:
    """Return the trials of a comparison; None where fewer than two values have trials of enough settings.

    Runs that confirm a choice took no part in the search and are left out, as are runs that have not ended.
    """
    confirming = confirming_seeds(data.configs, comparable.runs["run"].tolist())
    runs = comparable.runs[~comparable.runs["seed"].isin(confirming)]
    ended = runs[runs["status"].isin(["done", *FAILURES]) & runs["run"].isin(list(data.records))]
    done = ended["status"] == "done"
    is_known = bool(done.any() and ended.loc[done, "dev_known_loss"].notna().all())
    numbers = ended[["dev_loss", "dev_known_loss", "seconds"]].apply(pd.to_numeric, errors="coerce")
    losses = numbers["dev_known_loss" if is_known else "dev_loss"].astype(float)
    values = {str(run): varied_values(data.records[run].overrides or []) for run in ended["run"]}
    compare = next(
        (c for run in values if isinstance(c := data.configs[run].get("sweep.compare"), list)), None
    )
    keys = varied_keys(list(values.values()), None if compare is None else list(map(str, compare)))
    trials = pd.DataFrame(
        {
            "group": [_group_name(values[run], keys.compared) for run in ended["run"]],
            "setting": [repr([values[run].get(key) for key in keys.tuned]) for run in ended["run"]],
            "loss": losses.where(done, np.inf).fillna(np.inf).to_numpy(),
            "seconds": numbers["seconds"].to_numpy(float),
        }
    )
    is_large = trials.groupby("group")["setting"].transform("nunique") >= MIN_SETTINGS
    small = sorted(set(trials.loc[~is_large, "group"]))
    trials = trials[is_large]
    if trials["group"].nunique() < 2:
        return None
    unfinished = len(runs) - len(ended)
    omissions = [f"{unfinished} runs are left out, because they have not ended."] if unfinished else []
    if small:
        omissions.append(f"Left out, with fewer than {MIN_SETTINGS} settings: {format_names(small)}.")
    return TuningTrials(trials, is_known, omissions)


def _group_name(values: Mapping[str, str], compared: Sequence[str]) -> str:
    """Return `adam gru` for choices of files, `hidden_size=64` for other keys."""
    present = [key for key in compared if key in values]
    parts = [values[key] if "." not in key else f"{key.rpartition('.')[2]}={values[key]}" for key in present]
    return " ".join(parts) or "default"


def budget_table(trials: TuningTrials) -> pd.DataFrame:
    """Return one row per group and k = 1 … B / 2: perplexity of the best of k with its band, seconds, chance.

    Means are of losses, and shown as the perplexity that they are the logarithm of. `seconds` are k times the
    mean of the group's runs. The probability of being the best is missing where another group has too few
    trials for k.
    """
    tables = []
    for group, rows in trials.by_group.items():
        max_budget = len(rows) // 2
        settings = [same["loss"].to_numpy(float) for _, same in rows.groupby("setting")]
        curve = trials.curve(rows["loss"].to_numpy(float), max_budget)
        losses = [curve, *bootstrap_band(settings, trials.curve, max_budget)]
        k = np.arange(1, max_budget + 1)
        scores = {column: list(map(perplexity_of, loss)) for column, loss in zip(SCORES, losses, strict=True)}
        tables.append(
            pd.DataFrame({"group": group, "trials": k, **scores, "seconds": k * rows["seconds"].mean()})
        )
    budgets = np.tile(np.arange(1, min(map(len, tables)) + 1), (len(tables), 1))
    probabilities = probability_of_best(trials.scores, budgets)
    for table, probability in zip(tables, probabilities, strict=True):
        table["probability_best"] = pd.Series(probability)
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def probability_points(table: pd.DataFrame, trials: TuningTrials, budget: Budget) -> pd.DataFrame:
    """Return one row per group and budget with the probability of being the best."""
    if budget == "trials":
        return table.dropna(subset=["probability_best"])
    groups = trials.by_group
    mean_seconds = np.array([rows["seconds"].mean() for rows in groups.values()])
    budgets, probabilities = probability_by_seconds(trials.scores, mean_seconds)
    tables = [
        pd.DataFrame({"group": group, "seconds": budgets, "probability_best": probability})
        for group, probability in zip(groups, probabilities, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


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
            "The mean of the best of k over all choices of k trials, unbiased for fresh trials (Tang et al. "
            '2020, "Showing Your Work Doesn\'t Always Work"); of losses, shown as perplexity.'
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
    band = base.mark_area(opacity=1, fillOpacity=0.15, clip=True).encode(y="low:Q", y2="cut:Q")
    line = base.mark_line(point=len(drawn) <= MARKED_POINTS).encode(
        y=alt.Y("expected_best:Q", title=title, scale=scale), strokeDash=style.dash, tooltip=tooltip
    )
    return alt.layer(band, line).properties(width=560, height=320)


def _budget_axis(budget: Budget) -> alt.X:
    axis = alt.Axis(format="d", tickMinStep=1) if budget == "trials" else alt.Axis(format="~s")
    title = "trials" if budget == "trials" else "seconds of training"
    return alt.X(f"{budget}:Q", title=title, axis=axis, scale=alt.Scale(zero=False, nice=False))


def area_chart(points: pd.DataFrame, style: GroupStyle, budget: Budget) -> alt.Chart:
    """Return the probabilities of being the best, stacked, against a budget."""
    area = alt.Chart(points).mark_area(interpolate="linear" if budget == "trials" else "step-after")
    chart: alt.Chart = area.encode(
        x=_budget_axis(budget),
        y=alt.Y("probability_best:Q", title="probability of being the best", scale=alt.Scale(domain=[0, 1])),
        color=style.fill_colour,
        tooltip=["group:N", f"{budget}:Q", alt.Tooltip("probability_best:Q", format=".2f")],
    )
    return chart.properties(width=300, height=260)
