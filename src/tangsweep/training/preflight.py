"""What can be tried before the first run starts, at the price of heavy imports; nothing is trained."""

from collections.abc import Sequence
from typing import Any

from tangsweep.console import print_line
from tangsweep.errors import UserError
from tangsweep.kernels import build
from tangsweep.training import optimizers, wandb_mode


def check_before_training(configs: Sequence[dict[str, Any]]) -> None:
    """Raises UserError for an optimizer, schedule, kernel or W&B account that cannot be had."""
    distinct = {repr([c["optimizer"], c["scheduler"], c["cell"]["name"]]): c for c in configs}
    for config in distinct.values():
        optimizers.makers(config)
    _check_kernels(configs)
    mirrored = (c["logger"] for c in configs if c["logger"]["_target_"] is not None)
    if "online" in {wandb_mode.chosen(logger["mode"]) for logger in mirrored}:
        wandb_mode.check_account("W&B is set to online")


def _check_kernels(configs: Sequence[dict[str, Any]]) -> None:
    """Compiles the native kernels where that has not been done, and says so where it cannot be."""
    wanted = {c["cell"].get("kernel", "auto") for c in configs if c["trainer"]["accelerator"] == "cpu"}
    if wanted <= {"torch"} or not (reason := build.missing()):
        return
    if "native" in wanted:
        raise UserError(f"cell.kernel=native: {reason}; install a C compiler, or take cell.kernel=auto")
    print_line(f"no native kernels: {reason}; PyTorch computes, which is slower")
