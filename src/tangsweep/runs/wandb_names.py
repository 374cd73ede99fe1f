"""The names that a run's config, metrics and scores have at W&B."""

from collections.abc import Mapping, Sequence
from typing import Any

from tangsweep.config.identity import flatten
from tangsweep.config.overrides import variant
from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.runs.record import Record

VARIANT = "variant"  # key in W&B's config by which runs are grouped


def wandb_config(
    config: Mapping[str, Any], run_id: str, config_hash: str, overrides: Sequence[str]
) -> dict[str, Any]:
    """Return the run's config for W&B: the composed config, the run's identity and its variant."""
    return {**config, "run_id": run_id, "config_hash": config_hash, VARIANT: variant(overrides)}


def wandb_history(row: MetricsRow) -> dict[str, float | int]:
    """Return a row of metrics.csv for W&B, without its empty columns."""
    return {key: value for key, value in row.items() if value is not None}


def wandb_summary(record: Record) -> dict[str, Any]:
    """Return the run's summary for W&B: its status and the scores at the best epoch."""
    summary: dict[str, Any] = {
        "status": record.status,
        "best_epoch": record.best_epoch,
        "baselines": record.baselines,
    }
    if record.solved_step is not None:
        summary["solved_step"] = record.solved_step
    for side, scores in (("train", record.train), ("dev", record.dev), ("test", record.test)):
        values = scores.model_dump() if scores else {}
        summary |= {f"best/{side}/{name}": value for name, value in values.items() if value is not None}
    quality = record.quality.model_dump(exclude_unset=True) if record.quality else {}
    return summary | {f"quality/{key.replace('.', '/')}": value for key, value in flatten(quality)}
