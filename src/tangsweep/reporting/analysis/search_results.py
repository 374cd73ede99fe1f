"""What a search found, from its search.jsonl: settings, how far each came, and how it did at each rung."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from tangsweep.runs.search_log import FILE_NAME, Header, Line, Step, read_search, results_of

BINS = 4  # of a parameter, equally full, for its importance
MIN_BINNED = 3 * BINS  # settings for an importance
MIN_CORRELATED = 4  # settings that two rungs share, for their rank correlation


class SearchResults(NamedTuple):
    """A search as tables."""

    trials: pd.DataFrame  # one row a setting: trial, arm, highest rung, value there, value at the first rung
    parameters: pd.DataFrame  # one row a setting and parameter: trial, arm, key, text, number (NaN: a word)
    values: pd.DataFrame  # one row a result: arm, trial, rung, value (∞: diverged), in their order
    rungs: Mapping[str, list[str]]  # of each arm: `3 epochs`, `whole`, `whole, seed 1`
    log_keys: frozenset[str]  # parameters with a logarithmic range


def read_search_results(sweep: Path) -> SearchResults | None:
    """Return the search of a sweep's folder; None where it is none or no run has a value yet.

    Raises UserError where search.jsonl is damaged.
    """
    path = sweep / FILE_NAME
    if not path.exists():
        return None
    header, lines = read_search(path)
    if header is None or all(result.value is None for result in results_of(lines).values()):
        return None
    return search_tables(header, lines)


def search_tables(header: Header, lines: list[Line]) -> SearchResults:
    """Return the tables of the decisions and results of a search."""
    settings = [line.setting for line in lines if line.setting is not None]
    results = {step: r.value for step, r in results_of(lines).items() if r.value is not None}
    values = pd.DataFrame(
        [(settings[s.trial].arm, s.trial, s.rung, value) for s, value in results.items()],
        columns=["arm", "trial", "rung", "value"],
    ).astype({"value": float})
    rows = []
    for trial, setting in enumerate(settings):
        reached = max((step.rung for step in results if step.trial == trial), default=None)
        if reached is not None:
            first, last = results.get(Step(trial, 0)), results[Step(trial, reached)]
            rows.append((trial, setting.arm, reached, last, first))
    parameters = [
        (trial, setting.arm, key, text, _number(text))
        for trial, setting in enumerate(settings)
        for key, text in setting.parameters.items()
    ]
    return SearchResults(
        pd.DataFrame(rows, columns=["trial", "arm", "rung", "value", "first"]),
        pd.DataFrame(parameters, columns=["trial", "arm", "key", "text", "number"]),
        values,
        _rung_names(header),
        _log_keys(header),
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _rung_names(header: Header) -> dict[str, list[str]]:
    rungs = header.get("rungs")
    names: dict[str, list[str]] = {}
    for arm, of_arm in rungs.items() if isinstance(rungs, Mapping) else ():
        first = of_arm[0][0]
        names[str(arm)] = [
            ("whole" if epochs is None else f"{epochs} epoch{'s' * (epochs > 1)}")
            + ("" if seed == first else f", seed {seed}")
            for seed, epochs in of_arm
        ]
    return names


def _log_keys(header: Header) -> frozenset[str]:
    arms = cast(list[dict[str, list[dict[str, list[dict[str, object]]]]]], header["space"])
    parameters = [p for arm in arms for branch in arm["branches"] for p in branch["parameters"]]
    return frozenset(str(parameter["key"]) for parameter in parameters if parameter.get("log"))


def incumbent_history(results: SearchResults) -> pd.DataFrame:
    """Return, for each arm, the lowest value after each finite result: arm, results, value."""
    finite = results.values[np.isfinite(results.values["value"])]
    tables = []
    for arm, own in finite.groupby("arm", sort=False):
        best = own["value"].cummin()
        tables.append(pd.DataFrame({"arm": arm, "results": np.arange(1, len(own) + 1), "value": best}))
    columns = ["arm", "results", "value"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def rung_correlations(results: SearchResults) -> pd.DataFrame:
    """Return Spearman's rank correlation of values between neighbouring rungs: arm, rungs, settings, rho.

    Only settings that were promoted have both, so it is over the better ones, and lower than over all.
    """
    rows = []
    for arm, own in results.values.groupby("arm", sort=False):
        table = own.pivot_table(index="trial", columns="rung", values="value", aggfunc="last")
        names = results.rungs.get(str(arm), [])
        for rung in range(1, len(names)):
            if not {rung - 1, rung} <= set(table.columns):
                continue
            both = table[[rung - 1, rung]].dropna()
            if len(both) >= MIN_CORRELATED:
                rho = float(both[rung - 1].rank().corr(both[rung].rank()))
                rows.append((str(arm), f"{names[rung - 1]} and {names[rung]}", len(both), rho))
    return pd.DataFrame(rows, columns=["arm", "rungs", "settings", "rho"])


def parameter_importances(results: SearchResults) -> pd.DataFrame:
    """Return how much of the spread at the first rung each parameter explains alone: arm, key, share.

    All settings were trained equally long there. A number's range is cut into BINS equally full parts; of the
    ranks of the values the share between parts is ε² (Kelley 1935), which is about 0 for a parameter that
    does not matter, however many parts there are.
    """
    first = results.trials.dropna(subset=["first"]).set_index("trial")["first"]
    rows = []
    for (arm, key), own in results.parameters.groupby(["arm", "key"], sort=False):
        own = own[own["trial"].isin(first.index)]
        parts = own["text"]
        if own["number"].notna().all() and own["number"].nunique() > BINS:
            parts = pd.qcut(own["number"].rank(method="first"), BINS, labels=False)
        if len(own) >= MIN_BINNED and 1 < parts.nunique() < len(own):
            ranks = first[own["trial"]].rank().to_numpy(float)
            rows.append((str(arm), str(key), epsilon_squared(ranks, parts.to_numpy())))
    table = pd.DataFrame(rows, columns=["arm", "key", "share"])
    return table.sort_values(["arm", "share"], ascending=[True, False], ignore_index=True)


def epsilon_squared(values: np.ndarray, parts: np.ndarray) -> float:
    """Return ε² = (SS_between − (k − 1) · MS_within) / SS_total of values (N,) in k parts; at least 0."""
    total = float(((values - values.mean()) ** 2).sum())
    labels = np.unique(parts)
    within = sum(float(((values[parts == p] - values[parts == p].mean()) ** 2).sum()) for p in labels)
    if not total:
        return 0.0
    noise = (len(labels) - 1) * within / (len(values) - len(labels))
    return max(0.0, (total - within - noise) / total)
