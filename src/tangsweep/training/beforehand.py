"""What can be tried before the first run starts, at the price of heavy imports; nothing is trained."""

from collections.abc import Sequence
from typing import Any

from tangsweep.training import optimizing, wandb_mode


def check(configs: Sequence[dict[str, Any]]) -> None:
    """Raises UserError for an optimizer or schedule that cannot be made, or a W&B that lets nobody in."""
    distinct = {repr([c["optimizer"], c["scheduler"], c["cell"]["name"]]): c for c in configs}
    for config in distinct.values():
        optimizing.makers(config)
    mirrored = (c["logger"] for c in configs if c["logger"]["_target_"] is not None)
    for mode in {wandb_mode.chosen(logger["mode"]) for logger in mirrored}:
        wandb_mode.check_account(mode)
