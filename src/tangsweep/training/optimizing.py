"""The optimizer and the schedule that a config names, tried before the first run of a sweep starts."""

from collections.abc import Callable
from typing import Any

import torch
from hydra.utils import instantiate

from tangsweep.analytic import limits
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
        (numpy_bridge.optimizer if limits.chosen(config) else instantiate)(config["optimizer"]),
        instantiate(config["scheduler"]) if scheduled else None,
    )
