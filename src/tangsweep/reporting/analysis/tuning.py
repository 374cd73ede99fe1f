"""Compare choices, each at its own best setting: chosen by development scores, judged on the test set.

Where a sweep varies something else for each value of what is compared, such as learning rates for each
optimizer, ranking all settings would favour whoever tries more. Here each value has one setting: the one with
the best mean development score over seeds. Seeds that took no part in the choice judge it (`confirm.seeds`).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pandas as pd

from tangsweep.config.overrides import varied_keys, varied_values
from tangsweep.reporting.analysis.rank_groups import rank_groups
from tangsweep.reporting.analysis.ranking import FAILURES, Ranking
from tangsweep.reporting.analysis.scored_documents import ScoredDocuments
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.compared_values import join_settings, join_values, named_comparison
from tangsweep.reporting.data.default_settings import default_runs
from tangsweep.reporting.data.run_files import FlatConfig
from tangsweep.runs.best_setting import (
    DevelopmentCost,
    Setting,
    best_setting,
    choose_by_known,
    development_cost,
    pick_setting,
)
from tangsweep.runs.record import Record


class DefaultSetting(NamedTuple):
    """The setting that a value has without overrides, scored with the seeds that choose."""

    score: float  # mean loss on the set that ranks; infinite where a run failed or diverged
    gain: float | None  # nats per character by which the chosen setting is better with the same seeds


class TunedChoice(NamedTuple):
    """The setting that was chosen for one value of what is compared."""

    value: str  # `adam`
    setting: str  # `lr=0.001`
    candidates: int  # settings that were tried, failed ones included
    chosen_score: float  # mean development loss over the seeds that chose; infinite where one has no score
    last_score: float | None  # the same at the last epoch
    optimism: float | None  # nats per character by which the same seeds flatter the choice, as measured
    default: DefaultSetting | None  # None where it was not tried


class TunedComparison(NamedTuple):
    """A ranking of values, each at its chosen setting."""

    ranking: Ranking
    choices: dict[str, TunedChoice]  # by value
    is_confirmed: bool  # by seeds that took no part in the choice
    judging_scores: dict[str, float]  # mean development loss of the seeds that judge, by value


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
    values = _values_of_runs(runs, records)
    keys = varied_keys(list(values.values()), named_comparison(list(values), configs))
    if not keys.tuned:
        return None
    runs = runs.assign(
        value=[join_values(values[run], keys.compared) for run in runs["run"]],
        setting=[join_settings(values[run], keys.tuned) for run in runs["run"]],
    )
    value_of = dict(zip(runs["run"], runs["value"], strict=True))
    runs = runs.assign(is_default=runs["run"].isin(default_runs(value_of, keys.tuned, configs, records)))
    is_confirming = runs["seed"].isin(confirming_seeds(configs, runs["run"].tolist()))
    settings = {run: pick_setting(own, keys.tuned) for run, own in values.items()}
    choices = _choose(comparable, runs[~is_confirming], settings, records)
    is_chosen = is_confirming.any() or any(choice.candidates > 1 for choice in choices.values())
    if len(choices) < 2 or not is_chosen:
        return None
    setting_of = runs["value"].map({value: choice.setting for value, choice in choices.items()})
    judged = runs[runs["setting"].eq(setting_of)]
    confirmed_values = set(judged.loc[is_confirming[judged.index] & judged["status"].eq("done"), "value"])
    is_confirmed = confirmed_values == set(choices)
    judged = judged[is_confirming[judged.index].eq(is_confirmed)]
    ranking = rank_groups(comparable._replace(runs=judged.assign(group=judged["value"])), text)
    costs = {run: development_cost(records[run], records[run].seed) for run in runs["run"]}
    by_known = choose_by_known(costs.values())
    scores = {
        str(value): fmean(costs[run].known if by_known else costs[run].total for run in of_value["run"])
        for value, of_value in judged.groupby("value")
    }
    return TunedComparison(ranking, choices, is_confirmed, scores)


def _values_of_runs(runs: pd.DataFrame, records: Mapping[str, Record]) -> dict[str, dict[str, str]]:
    """Return what each run's group overrides, so that one config is one setting.

    Of two sweeps the one may name a value that the other leaves at its default.
    """
    of_group: dict[str, dict[str, str]] = {}
    for run, group in zip(runs["run"], runs["group"], strict=True):
        of_group[group] = of_group.get(group, {}) | varied_values(records[run].overrides or [])
    return {run: of_group[group] for run, group in zip(runs["run"], runs["group"], strict=True)}


def _choose(
    comparable: ComparableRuns,
    runs: pd.DataFrame,
    settings: Mapping[str, Setting],
    records: Mapping[str, Record],
) -> dict[str, TunedChoice]:
    """Return the choice for each value of which a run has a score."""
    by_known = choose_by_known(development_cost(records[run], records[run].seed) for run in runs["run"])
    choices = {}
    for value, of_value in runs.groupby("value"):
        best = best_setting_of(of_value["run"].tolist(), settings, records)
        if best is not None:
            is_best = [settings[run] == best for run in of_value["run"]]
            setting = str(of_value.loc[is_best, "setting"].iloc[0])
            choices[str(value)] = _describe_choice(comparable, of_value, setting, by_known)
    return choices


def best_setting_of(
    runs: Sequence[str], settings: Mapping[str, Setting], records: Mapping[str, Record]
) -> Setting | None:
    """Return the best setting of runs with records, by the rule that the sweep itself chooses by."""
    costs: dict[Setting, list[DevelopmentCost]] = {}
    for run in runs:
        costs.setdefault(settings[run], []).append(development_cost(records[run], records[run].seed))
    return best_setting(costs)


def _describe_choice(
    comparable: ComparableRuns, runs: pd.DataFrame, setting: str, by_known: bool
) -> TunedChoice:
    """Describe the setting that was chosen from the runs of one value."""
    prefix = "known_" if by_known else ""
    failed = set(runs.loc[runs["status"].isin(FAILURES), "setting"])
    development = _by_setting_and_seed(runs, f"dev_{prefix}loss").drop(index=list(failed), errors="ignore")
    development = development[development.notna().all(axis=1)]
    test = _by_setting_and_seed(runs, comparable.score_column)
    last = runs.loc[runs["setting"] == setting, f"last_dev_{prefix}perplexity"]
    last_losses = [math.log(perplexity) for perplexity in last if perplexity and pd.notna(perplexity)]
    is_complete = setting in development.index
    honest_test = test.reindex(development.index).to_numpy(float)
    defaults = set(runs.loc[runs["is_default"], "setting"])
    return TunedChoice(
        value=str(runs["value"].iloc[0]),
        setting=setting,
        candidates=runs["setting"].nunique(),
        chosen_score=float(np.mean(development.loc[setting])) if is_complete else math.inf,
        last_score=fmean(last_losses) if len(last_losses) == len(last) else None,
        optimism=measure_optimism(development.to_numpy(float), honest_test) if is_complete else None,
        default=_score_default(test, defaults.pop(), setting, failed) if len(defaults) == 1 else None,
    )


def _score_default(
    losses: pd.DataFrame, default: str, chosen: str, failed: Collection[str]
) -> DefaultSetting | None:
    """Score the default setting by (settings, seeds) losses; None where it has no score yet."""
    if default in failed:
        return DefaultSetting(math.inf, None)
    if default not in losses.index or losses.loc[default].isna().all():
        return None
    difference = (losses.loc[default] - losses.loc[chosen]).dropna().to_numpy(float)
    gain = float(difference.mean()) if len(difference) and chosen not in failed else None
    return DefaultSetting(float(np.nanmean(losses.loc[default].to_numpy(float))), gain)


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
