"""Builds the optimizer and the schedule that a config names.

The choices are the files of conf/optimizer/ and conf/scheduler/. Each is tried before a sweep's first run.
"""

import inspect
from functools import partial
from typing import Any, NamedTuple

import torch
from hydra.utils import instantiate

from tangsweep.config.checks import is_numpy_lstm
from tangsweep.config.identity import is_stepped_with_optimizer
from tangsweep.config.run_config import AnyConfig
from tangsweep.errors import UserError, first_line
from tangsweep.training import numpy_bridge
from tangsweep.training.module import MakeOptimizer, MakeScheduler


class OptimizerFactories(NamedTuple):
    """Make the optimizer from groups of parameters, and the schedule (None: none) from the optimizer."""

    make_optimizer: MakeOptimizer
    make_scheduler: MakeScheduler | None


def optimizer_factories(config: AnyConfig, steps: float | None = None) -> OptimizerFactories:
    """Return the factories that a config names, both tried on one parameter.

    `steps` are those of the whole run, over which a cosine schedule falls with `trainer.max_steps`.
    Raises UserError for a class that does not exist or an option that it lacks.
    """
    try:
        factories = _factories(config, steps)
        optimizer = factories.make_optimizer([{"params": [torch.nn.Parameter(torch.zeros(1))]}])
        if factories.make_scheduler is not None:
            factories.make_scheduler(optimizer)
    except Exception as error:  # whatever an optimizer raises for options that do not go together
        where = "see conf/optimizer/ and conf/scheduler/"
        raise UserError(f"optimizer or scheduler: {first_line(error)}; {where}") from error
    return factories


def _factories(config: AnyConfig, steps: float | None) -> OptimizerFactories:
    scheduler = config.plain["scheduler"] if config.scheduler.target is not None else None
    if scheduler and is_stepped_with_optimizer(config.plain):
        length = "steps" if scheduler["_target_"].endswith(".warmup_decay") else "T_max"
        scheduler = {**scheduler, length: int(steps or config.trainer.max_steps or 1)}
    return OptimizerFactories(
        numpy_bridge.numpy_optimizer_factory(config.plain["optimizer"])
        if is_numpy_lstm(config)
        else _torch_optimizer(config),
        instantiate(scheduler) if scheduler else None,
    )


def _torch_optimizer(config: AnyConfig) -> MakeOptimizer:
    """Use torch's fused form, one pass over memory a step, where there is one: the same rule, rounded
    elsewhere.

    Lightning allows no fused optimizer with a gradient scaler and clipping, so 16-mixed does without.
    """
    settings = config.plain["optimizer"]
    optimizer: Any = instantiate(settings)
    parameters = inspect.signature(optimizer.func).parameters
    is_free = not {"fused", "foreach", "differentiable"} & set(settings)
    if "fused" in parameters and is_free and config.trainer.precision != "16-mixed":
        return partial(optimizer, fused=True)
    chosen: MakeOptimizer = optimizer
    return chosen
