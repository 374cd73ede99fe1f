"""Measures what an optimizer costs: the time of an update, and the memory of its state."""

import copy
import time
from statistics import median
from typing import Any

import torch
from torch.optim import Optimizer

from tangsweep.language_model import LanguageModel
from tangsweep.runs.record import OptimizerCost
from tangsweep.training.optimizer_factories import MakeOptimizer
from tangsweep.training.parameter_groups import build_optimizer

WARM_UP_UPDATES, TIMED_UPDATES = 3, 15


def measure_cost(model: LanguageModel, make_optimizer: MakeOptimizer, step_ms: float | None) -> OptimizerCost:
    """Time updates of a copy of the model with random gradients, as they are in training: of all weights.

    Other runs that train at the same time slow it down, so it is to be compared with runs of the same sweep.
    """
    model = copy.deepcopy(model)
    optimizer = build_optimizer(model, make_optimizer)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator) * 1e-3
        parameter.grad = noise.to(parameter.device, parameter.dtype)
    seconds = [_update_seconds(optimizer) for _ in range(WARM_UP_UPDATES + TIMED_UPDATES)]
    return OptimizerCost(
        update_ms=round(1000 * median(seconds[WARM_UP_UPDATES:]), 4),
        state_bytes=sum(_state_bytes(values) for values in optimizer.state.values()),
        step_ms=None if step_ms is None else round(step_ms, 4),
    )


def _update_seconds(optimizer: Optimizer) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    optimizer.step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _state_bytes(values: dict[str, Any]) -> int:
    tensors = [value for value in values.values() if isinstance(value, torch.Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
