"""What is tried before the first run of a sweep starts, at the price of heavy imports; nothing is trained."""

from collections.abc import Sequence

from tangsweep.config.cell_options import LSTMOptions
from tangsweep.config.run_config import AnyConfig
from tangsweep.console import print_line
from tangsweep.errors import UserError
from tangsweep.kernels import build
from tangsweep.training import wandb_mode
from tangsweep.training.optimizers import optimizer_factories


def check_before_training(configs: Sequence[AnyConfig]) -> None:
    """Raise UserError for an optimizer, schedule, kernel or W&B account that cannot be had."""
    distinct = {repr([c.plain["optimizer"], c.plain["scheduler"], c.cell.name]): c for c in configs}
    for config in distinct.values():
        optimizer_factories(config)
    _check_kernels(configs)
    modes = {wandb_mode.wandb_mode(c.logger.mode) for c in configs if c.logger.target is not None}
    if "online" in modes:
        wandb_mode.check_account("W&B is set to online")


def _check_kernels(configs: Sequence[AnyConfig]) -> None:
    """Compile the native kernels where that has not been done, and say so where it cannot be."""
    kernels = {
        config.cell.kernel if isinstance(config.cell, LSTMOptions) else "auto"
        for config in configs
        if config.trainer.accelerator == "cpu"
    }
    if kernels <= {"torch"} or not (reason := build.why_unavailable()):
        return
    if "native" in kernels:
        raise UserError(f"cell.kernel=native: {reason}; install a C compiler, or use cell.kernel=auto")
    print_line(f"no native kernels: {reason}; PyTorch computes, which is slower")
