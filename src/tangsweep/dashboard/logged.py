"""What the runs of one ranking have at W&B, by name: a panel may name nothing else."""

import math
from typing import Any, NamedTuple

from tangsweep.config import overrides
from tangsweep.report.data.collect import EPOCHS, Collected
from tangsweep.report.data.comparability import ComparableRuns
from tangsweep.report.data.run_table import overridden
from tangsweep.runs import wandb_names

TABLES = {"poems": "poems.txt", "continuations": "samples.txt"}  # W&B's name → the file with the same


class Logged(NamedTuple):
    """Names of what at least one run has, numbers only; `ids` are W&B's, by run."""

    ids: dict[str, str]
    history: frozenset[str]
    summary: frozenset[str]
    config: tuple[str, ...]  # keys that hold numbers and differ between runs
    tables: tuple[str, ...]
    groups: dict[str, str]  # W&B's variant → the report's group


def logged(found: Collected, part: ComparableRuns) -> Logged:
    """Of the runs that went to W&B; those with logger=csv are left out."""
    ids = {
        str(run): str(identity)
        for run, identity in zip(part.runs["run"], part.runs["wandb_id"], strict=True)
        if run in found.results and isinstance(identity, str)
    }
    results = [found.results[run] for run in ids]
    epochs = found.epochs[found.epochs["run"].isin(ids)]
    groups = dict(zip(part.runs["run"], part.runs["group"], strict=True))
    return Logged(
        ids,
        frozenset(name for column, name in EPOCHS.items() if epochs[column].notna().any()),
        frozenset(
            k for result in results for k, v in wandb_names.wandb_summary(result).items() if _number(v)
        ),
        tuple(_varied([found.configs[run] for run in ids])),
        tuple(name for name, file in TABLES.items() if _any_has(found, ids, file)),
        {overrides.variant(overridden(found.results[run])): groups[run] for run in ids},
    )


def _varied(configs: list[dict[str, Any]]) -> list[str]:
    shared = [key for key in (configs[0] if configs else {}) if all(key in config for config in configs)]
    numbers = [key for key in shared if all(_number(config[key]) for config in configs)]
    return [
        key
        for key in numbers
        if overrides.distinguishes_runs(key) and len({config[key] for config in configs}) > 1
    ]


def _any_has(found: Collected, ids: dict[str, str], file: str) -> bool:
    return any((found.folders[run].path / file).exists() for run in ids)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
