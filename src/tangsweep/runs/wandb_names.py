"""The names that a run and its config, metrics and scores have at W&B, and where its offline files lie."""

import math
import os
import re
import secrets
import string
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tangsweep.config.identity import flatten
from tangsweep.config.overrides import variant
from tangsweep.files import atomic_write, remove_interrupted_writes
from tangsweep.metrics import METRICS
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.runs.record import Record

VARIANT = "variant"  # key in W&B's config by which runs are grouped
OWN_KEYS = ("run_id", "config_hash", VARIANT)  # in W&B's config, and no keys of a run's
WORST_SCORE = 1e9  # what an agent of a W&B sweep sees of a run that diverged: finite, and far from any score


def wandb_sweep_id() -> str | None:
    """Return the id of the W&B sweep whose agent started this command; None without one."""
    return os.environ.get("WANDB_SWEEP_ID") or None


def wandb_config(
    config: Mapping[str, Any], run_id: str, config_hash: str, overrides: Sequence[str]
) -> dict[str, Any]:
    """Return the run's config for W&B: the composed config, the run's identity and its variant."""
    own = (run_id, config_hash, variant(overrides))
    return {**config, **dict(zip(OWN_KEYS, own, strict=True))}


def wandb_history(row: MetricsRow) -> dict[str, float | int]:
    """Return a row of metrics.csv for W&B, without its empty columns."""
    return {key: value for key, value in row.items() if value is not None}


def wandb_summary(record: Record) -> dict[str, Any]:
    """Return the run's summary for W&B: its status and the scores at the best epoch.

    In a W&B sweep, the score that the sweep looks at is that of the best epoch too, and not the last one.
    """
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
    if wandb_sweep_id() is not None:
        summary |= _score_for_agent(record)
    quality = record.quality.model_dump(exclude_unset=True) if record.quality else {}
    return summary | {f"quality/{key.replace('.', '/')}": value for key, value in flatten(quality)}


def _score_for_agent(record: Record) -> dict[str, float]:
    """Return the best development score under the name that it has in the history."""
    metric = METRICS[(record.primary and record.primary.metric) or "perplexity"]
    score = getattr(record.dev, metric.name) if record.dev else None
    if score is None or not math.isfinite(score) or record.status == "diverged":
        score = WORST_SCORE if metric.lower_is_better else -WORST_SCORE
    return {f"val/{metric.name}": score}


def wandb_run_id(folder: RunFolder) -> tuple[str, bool]:
    """Return the run's W&B id, drawn once and kept in the folder, and whether it is new.

    A damaged one is drawn anew. An agent of a W&B sweep draws one for each of its runs.
    """
    path = folder.path / "wandb-id.txt"
    remove_interrupted_writes(path)
    run_id = path.read_bytes().decode("utf-8", "replace").strip() if path.exists() else ""
    agents_id = os.environ.get("WANDB_RUN_ID") if wandb_sweep_id() is not None else None
    is_new = not re.fullmatch("[a-z0-9]{8}", run_id) if agents_id is None else run_id != agents_id
    if is_new and agents_id is not None:
        run_id = agents_id
        atomic_write(path, run_id + "\n")
    elif is_new:
        run_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        atomic_write(path, run_id + "\n")
    return run_id, is_new


def set_aside_offline_runs(folder: RunFolder) -> None:
    """Move the offline files of earlier attempts to wandb/superseded/: one history a run, never two.

    W&B's own process may outlive a run that was killed, and make its folder a second time.
    """
    for path in sorted((folder.path / "wandb").glob("offline-run-*")):
        moved = folder.path / "wandb" / "superseded" / path.name
        moved.parent.mkdir(exist_ok=True)
        if moved.exists():
            moved = moved.with_name(f"{path.name}.{time.time_ns()}")
        path.rename(moved)
