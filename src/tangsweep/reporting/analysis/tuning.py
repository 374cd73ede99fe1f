"""Compare choices, each at its own best setting: chosen by development scores, judged on the test set.

Where a sweep varies something else for each value of what is compared, such as learning rates for each
optimizer, ranking all settings would favour whoever tries more. Here each value has one setting: the one with
the best mean development score over seeds. Seeds that took no part in the choice judge it (`confirm.seeds`).
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pandas as pd

from tangsweep.config.overrides import varied_keys, varied_values
from tangsweep.reporting.analysis.ranking import FAILURES, Ranking, rank_groups
from tangsweep.reporting.analysis.scored_documents import ScoredDocuments
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.run_files import FlatConfig
from tangsweep.runs.record import Record


class TunedChoice(NamedTuple):
    """The setting that was chosen for one value of what is compared."""

    value: str  # `adam`
    setting: str  # `lr=0.001`
    candidates: int  # settings that were tried, failed ones included
    chosen_score: float  # mean development score over the seeds that chose: a loss, or an accuracy
    last_score: float | None  # the same at the last epoch
    optimism: float | None  # nats per character by which the same seeds flatter the choice, as measured


class TunedComparison(NamedTuple):
    """A ranking of values, each at its chosen setting."""

    ranking: Ranking
    choices: dict[str, TunedChoice]  # by value
    is_confirmed: bool  # by seeds that took no part in the choice


def confirming_seeds(configs: Mapping[str, FlatConfig], runs: Sequence[str]) -> set[int]:
    """Return the seeds that took no part in choosing settings, as the runs' configs name them."""
    named = (configs[run].get("confirm.seeds") for run in runs)
    return {
        int(seed) for seeds in named if isinstance(seeds, list) for seed in seeds if isinstance(seed, int)
    }


def choosing_runs(comparable: ComparableRuns, configs: Mapping[str, FlatConfig]) -> ComparableRuns:
    """Return the runs without those that confirm a choice."""
    seeds = confirming_seeds(configs, comparable.runs["run"].tolist())
    return comparable._replace(runs=comparable.runs[~comparable.runs["seed"].isin(seeds)])


def compare_tuned(
    comparable: ComparableRuns,
    text: ScoredDocuments | None,
    configs: Mapping[str, FlatConfig],
    records: Mapping[str, Record],
) -> TunedComparison | None:
    """Return the comparison of tuned values; None where no value has several settings, or accuracy ranks."""
    if comparable.by_accuracy:
        return None
    runs = comparable.runs[comparable.runs["run"].isin(list(records))]
    values = {run: varied_values(records[run].overrides or []) for run in runs["run"]}
    compare = next((c for run in values if isinstance(c := configs[run].get("sweep.compare"), list)), None)
    keys = varied_keys(list(values.values()), None if compare is None else list(map(str, compare)))
    if not keys.tuned:
        return None
    runs = runs.assign(
        value=[_join(values[run], keys.compared, bare=True) for run in runs["run"]],
        setting=[_join(values[run], keys.tuned) for run in runs["run"]],
    )
    is_confirming = runs["seed"].isin(confirming_seeds(configs, runs["run"].tolist()))
    choices = _choose(comparable, runs[~is_confirming])
    if len(choices) < 2 or all(choice.candidates < 2 for choice in choices.values()):
        return None
    setting_of = runs["value"].map({value: choice.setting for value, choice in choices.items()})
    judged = runs[runs["setting"].eq(setting_of)]
    confirmed_values = set(judged.loc[is_confirming[judged.index] & judged["status"].eq("done"), "value"])
    is_confirmed = confirmed_values == set(choices)
    judged = judged[is_confirming[judged.index].eq(is_confirmed)]
    ranking = rank_groups(comparable._replace(runs=judged.assign(group=judged["value"])), text)
    return TunedComparison(ranking, choices, is_confirmed)


def _join(values: Mapping[str, str], keys: Sequence[str], bare: bool = False) -> str:
    """Return `lr=0.001`, or of choices of files (`bare`) `adam`."""
    parts = [
        values[key] if bare and "." not in key else f"{key.rpartition('.')[2]}={values[key]}"
        for key in keys
        if key in values
    ]
    return " ".join(parts) or "default"


def _choose(comparable: ComparableRuns, runs: pd.DataFrame) -> dict[str, TunedChoice]:
    """Return the best setting of each value: of those without a failed or diverged run."""
    prefix = "known_" if comparable.ranked_by.known else ""
    choices = {}
    for value, of_value in runs.groupby("value"):
        failed = of_value.loc[of_value["status"].isin(FAILURES), "setting"].unique()
        development = _by_setting_and_seed(of_value, f"dev_{prefix}loss").drop(
            index=list(failed), errors="ignore"
        )
        development = development[development.notna().all(axis=1)]
        if development.empty:
            continue
        setting = str(development.mean(axis=1).idxmin())
        test = _by_setting_and_seed(of_value, comparable.score_column).reindex(development.index)
        last = of_value.loc[of_value["setting"] == setting, f"last_dev_{prefix}perplexity"]
        last_losses = [math.log(perplexity) for perplexity in last if perplexity and pd.notna(perplexity)]
        choices[str(value)] = TunedChoice(
            value=str(value),
            setting=setting,
            candidates=of_value["setting"].nunique(),
            chosen_score=float(development.mean(axis=1).min()),
            last_score=fmean(last_losses) if len(last_losses) == len(last) else None,
            optimism=measure_optimism(development.to_numpy(float), test.to_numpy(float)),
        )
    return choices


def _by_setting_and_seed(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the mean of a column for each setting (rows) and seed (columns)."""
    numbers = pd.to_numeric(runs[column], errors="coerce").astype(float)
    return runs.assign(number=numbers).pivot_table("number", "setting", "seed", aggfunc="mean", dropna=False)


def measure_optimism(development: np.ndarray, test: np.ndarray) -> float | None:
    """Return by how much a choice looks better on the seeds that made it than on a seed that did not.

    Both arrays are (settings, seeds) losses. Each seed is left out in turn: the other seeds choose a setting
    by their mean development loss, and its test loss with the seed that was left out counts. The mean of
    those minus the test loss of the setting that all seeds choose is the optimism. None for one seed.
    """
    seeds = development.shape[1]
    if seeds < 2 or not (np.isfinite(development).all() and np.isfinite(test).all()):
        return None
    others = (development.sum(axis=1, keepdims=True) - development) / (seeds - 1)
    honest = test[others.argmin(axis=0), np.arange(seeds)].mean()
    return float(honest - test[development.mean(axis=1).argmin()].mean())
