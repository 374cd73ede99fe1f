"""What W&B is told of a run, by the names it has there."""

from collections.abc import Mapping, Sequence
from typing import Any

from tangsweep.config import overrides
from tangsweep.config.identity import flatten

VARIANT = "variant"  # in W&B's config: what to group runs by


def wandb_config(
    settings: Mapping[str, Any], run_id: str, config_hash: str, overridden: Sequence[str]
) -> dict[str, Any]:
    """The run's config, with what tells it from others."""
    told = {"run_id": run_id, "config_hash": config_hash, VARIANT: overrides.variant(overridden)}
    return {**settings, **told}


def wandb_history(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of metrics.csv."""
    return {key: value for key, value in row.items() if value is not None}


def wandb_summary(result: Mapping[str, Any]) -> dict[str, Any]:
    """Scores at the best epoch, where W&B's tables look for them."""
    scores = {
        f"best/{side}/{name}": value
        for side in ("train", "dev")
        for name, value in (result.get(side) or {}).items()
        if value is not None
    }
    ended = {key: result.get(key) for key in ("status", "best_epoch", "baselines")}
    if result.get("solved_step") is not None:
        ended["solved_step"] = result["solved_step"]
    quality = flatten(result.get("quality") or {})
    return ended | scores | {f"quality/{key.replace('.', '/')}": value for key, value in quality}
