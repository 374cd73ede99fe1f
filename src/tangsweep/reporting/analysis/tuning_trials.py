"""The trials of a comparison, and what the best of so many of them is worth."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from tangsweep.config.overrides import varied_keys, varied_values
from tangsweep.metrics import perplexity_of
from tangsweep.reporting.analysis.budgets import (
    BudgetCurve,
    bootstrap_band,
    expected_best_curve,
    median_best_curve,
    probability_by_seconds,
    probability_of_best,
)
from tangsweep.reporting.analysis.ranking import FAILURES
from tangsweep.reporting.analysis.tuning import confirming_seeds
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.compared_values import join_values, named_comparison
from tangsweep.reporting.formatting import format_names

MIN_SETTINGS = 4  # of each group; fewer show no distribution
Budget = Literal["trials", "seconds"]  # a column of the table
SCORES = ("expected_best", "low", "high")
COLUMNS = ["group", "trials", *SCORES, "seconds", "probability_best"]


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
    keys = varied_keys(list(values.values()), named_comparison(list(values), data.configs))
    trials = pd.DataFrame(
        {
            "group": [join_values(values[run], keys.compared) for run in ended["run"]],
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
