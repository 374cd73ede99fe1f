"""The optimizer and the schedule that a config names, tried before the first run of a sweep starts."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from hydra.utils import instantiate

from tangsweep.config import numpy_lstm
from tangsweep.errors import UserError, first_line
from tangsweep.training import numpy_bridge

Makers = tuple[Callable[[Any], torch.optim.Optimizer], Callable[[torch.optim.Optimizer], Any] | None]


def makers(config: dict[str, Any]) -> Makers:
    """What makes the optimizer from parameters or groups of them, and the schedule from the optimizer.

    Both are tried on one parameter. Raises UserError for a class that is not there or an option it lacks.
    """
    try:
        optimizer, schedule = _makers(config)
        made = optimizer([{"params": [torch.nn.Parameter(torch.zeros(1))]}])
        if schedule is not None:
            schedule(made)
    except Exception as error:  # whatever an optimizer raises for options that do not go together
        where = "see conf/optimizer/ and conf/scheduler/"
        raise UserError(f"optimizer or scheduler: {first_line(error)}; {where}") from error
    return optimizer, schedule


def _makers(config: dict[str, Any]) -> Makers:
    scheduled = config["scheduler"]["_target_"] is not None
    return (
        numpy_bridge.optimizer(config["optimizer"])
        if numpy_lstm.is_numpy_lstm(config)
        else _of_torch(config),
        instantiate(config["scheduler"]) if scheduled else None,
    )


def _of_torch(config: dict[str, Any]) -> Callable[[Any], torch.optim.Optimizer]:
    """With one pass over all numbers a step where torch has that: the same rule, rounded elsewhere.

    A gradient scaler and clipping do not go together with it, in Lightning, so that 16-mixed goes without.
    """
    made = instantiate(config["optimizer"])
    known = inspect.signature(made.func).parameters
    free = not {"fused", "foreach", "differentiable"} & set(config["optimizer"])
    if "fused" in known and free and config["trainer"]["precision"] != "16-mixed":
        return partial(made, fused=True)
    return made
