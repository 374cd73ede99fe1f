"""How much of the variance of the loss comes from initialization, from the order of batches, from the split.

Runs that differ in nothing but one source of chance show what that source makes, as in Bouthillier et al.
(2021), "Accounting for variance in machine learning benchmarks".
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tangsweep.reporting.analysis.statistics import is_finite
from tangsweep.reporting.data.groups import group_names
from tangsweep.reporting.data.run_files import FlatConfig
from tangsweep.runs.record import Record

SEED_KEY, ORDER_KEY, SPLIT_KEY = "seed", "order_seed", "data.split_seed"
SOURCE_KEYS = (SEED_KEY, ORDER_KEY, SPLIT_KEY)
INITIALIZATION = "initialization (seed)"
ORDER = "order (order_seed)"
SPLIT = "split (data.split_seed)"
INITIALIZATION_AND_ORDER = "initialization and order (seed)"  # where the order follows the seed
SOURCES = (INITIALIZATION, ORDER, INITIALIZATION_AND_ORDER, SPLIT)
LOSSES = {
    "test_known_loss": "test loss over known characters",
    "test_loss": "test loss",
    "dev_known_loss": "development loss over known characters",
    "dev_loss": "development loss",
}
COLUMNS = ["group", "source", "standard_deviation", "variance", "share", "sets", "runs"]


class VarianceComponent(NamedTuple):
    """The variance that one source makes; NaN where no set of runs has two of its values."""

    variance: float
    sets: int  # of runs that differ in nothing but the source
    runs: int  # in those sets; their degrees of freedom are runs − sets


def shared_loss_column(runs: pd.DataFrame) -> str | None:
    """Return the first column of LOSSES that as many of the runs have as any; None where none has one."""
    counts = {column: int(is_finite(runs[column]).sum()) for column in LOSSES if column in runs}
    most = max(counts.values(), default=0)
    return next((column for column, count in counts.items() if count == most), None) if most else None


def group_by_other_keys(configs: Mapping[str, FlatConfig], records: Mapping[str, Record]) -> dict[str, str]:
    """Return the group of each run, whose configs are equal but for the keys of sources."""
    stripped = {
        run: {key: value for key, value in config.items() if key not in SOURCE_KEYS}
        for run, config in configs.items()
    }
    plain = {
        run: record.model_copy(update={"overrides": _without_sources(record.overrides or [])})
        for run, record in records.items()
    }
    names = group_names(stripped, plain)
    return {run: "all" if name == "default" else name for run, name in names.items()}


def _without_sources(overrides: Sequence[str]) -> list[str]:
    return [o for o in overrides if o.lstrip("+~").partition("=")[0] not in SOURCE_KEYS]


def source_values(configs: Mapping[str, FlatConfig], runs: Sequence[str]) -> pd.DataFrame:
    """Return one row per run of a group and one column per source: its value, as text.

    The order follows the seed where `order_seed` is null or missing. Where it does in every run,
    initialization and order cannot be told apart and are one source.
    """
    seeds = [configs[run].get(SEED_KEY) for run in runs]
    orders = [configs[run].get(ORDER_KEY) for run in runs]
    orders = [seed if order is None else order for seed, order in zip(seeds, orders, strict=True)]
    splits = [configs[run].get(SPLIT_KEY) for run in runs]
    sources = {INITIALIZATION_AND_ORDER: seeds, SPLIT: splits}
    if orders != seeds:
        sources = {INITIALIZATION: seeds, ORDER: orders, SPLIT: splits}
    texts = {source: list(map(repr, values)) for source, values in sources.items()}
    return pd.DataFrame(texts, index=list(runs))


def variance_component(losses: pd.Series, sources: pd.DataFrame, source: str) -> VarianceComponent:
    """Return the variance among runs that differ in nothing but `source`.

    With n_i runs in set i and S_i² their variance it is Σ (n_i − 1) S_i² / Σ (n_i − 1). Its expectation is
    the source's variance component plus those of its interactions with the others (the "total effect" of
    Homma and Saltelli 1996). Runs that are equal in all sources count once, with their mean.
    """
    cells = losses.groupby([sources[name] for name in sources]).mean()
    others = [name for name in sources if name != source]
    by_set = cells.groupby(level=others)
    sizes, variances = by_set.size(), by_set.var(ddof=1)
    several = sizes > 1
    if not several.any():
        return VarianceComponent(math.nan, 0, 0)
    variance = float(np.average(variances[several], weights=sizes[several] - 1))
    return VarianceComponent(variance, int(several.sum()), int(sizes[several].sum()))


def variance_table(
    runs: pd.DataFrame, configs: Mapping[str, FlatConfig], groups: Mapping[str, str], loss: str
) -> pd.DataFrame:
    """Return one row per group and source, of the groups in which at least two sources vary.

    Columns: group, source, standard_deviation and variance of the column `loss`, share (of the sum over the
    group's sources, where two were measured), sets, runs. Figures of a source that was not measured are
    missing.
    """
    losses = scored_runs(runs, loss).set_index("run")[loss].astype(float)
    rows = []
    for group, members in losses.groupby(losses.index.map(groups)):
        sources = source_values(configs, list(members.index))
        if (sources.nunique() > 1).sum() < 2:
            continue
        components = {source: variance_component(members, sources, source) for source in map(str, sources)}
        measured = [part.variance for part in components.values() if part.sets]
        total = sum(measured) if len(measured) > 1 else 0.0
        for source, part in components.items():
            share = part.variance / total if total else math.nan
            deviation = math.sqrt(part.variance)
            rows.append([str(group), source, deviation, part.variance, share, part.sets, part.runs])
    return pd.DataFrame(rows, columns=COLUMNS)


def scored_runs(runs: pd.DataFrame, loss: str) -> pd.DataFrame:
    """Return the runs that are done and have a finite loss."""
    return runs[runs["status"].eq("done") & is_finite(runs[loss])]
