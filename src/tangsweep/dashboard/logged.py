"""Find the metrics, config keys and tables that runs logged at W&B; a panel may name nothing else."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tangsweep.config.overrides import distinguishes_runs, variant
from tangsweep.report.data.collect import SweepData
from tangsweep.report.data.comparability import ComparableRuns
from tangsweep.report.data.run_files import EPOCH_COLUMNS, ConfigValue, FlatConfig
from tangsweep.runs.wandb_names import wandb_summary

TABLE_FILES = {
    "poems": "poems.txt",
    "continuations": "samples.txt",
}  # W&B's table → the file with the same texts


class LoggedNames(NamedTuple):
    """W&B's names of what at least one run logged; of history, summary and config only numbers."""

    ids: dict[str, str]  # run → W&B's id
    history: frozenset[str]
    summary: frozenset[str]
    config: tuple[str, ...]  # keys that differ between the runs
    tables: tuple[str, ...]
    groups: dict[str, str]  # W&B's variant → the report's group


def logged_names(data: SweepData, comparable: ComparableRuns) -> LoggedNames:
    """Return the names of the runs that went to W&B; runs with logger=csv are left out."""
    runs = comparable.runs
    ids = {
        str(run): str(wandb_id)
        for run, wandb_id in zip(runs["run"], runs["wandb_id"], strict=True)
        if run in data.records and isinstance(wandb_id, str)
    }
    summaries = [wandb_summary(data.records[run]) for run in ids]
    epochs = data.epochs[data.epochs["run"].isin(ids)]
    groups = dict(zip(runs["run"], runs["group"], strict=True))
    return LoggedNames(
        ids=ids,
        history=frozenset(name for column, name in EPOCH_COLUMNS.items() if epochs[column].notna().any()),
        summary=frozenset(
            name for summary in summaries for name, value in summary.items() if _is_number(value)
        ),
        config=tuple(_differing_numbers([data.configs[run] for run in ids])),
        tables=tuple(
            name
            for name, file in TABLE_FILES.items()
            if any((data.folders[run].path / file).exists() for run in ids)
        ),
        groups={variant(data.records[run].overrides or []): groups[run] for run in ids},
    )


def _differing_numbers(configs: Sequence[FlatConfig]) -> list[str]:
    """Return the keys that hold a number in every config, but not the same one."""
    return [
        key
        for key in (configs[0] if configs else {})
        if all(_is_number(config.get(key)) for config in configs)
        and distinguishes_runs(key)
        and len({repr(config[key]) for config in configs}) > 1
    ]


def _is_number(value: ConfigValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
