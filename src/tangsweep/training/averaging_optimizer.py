"""Optimizers that keep an average of the weights themselves, such as Schedule-Free AdamW."""

from collections.abc import Iterable
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@runtime_checkable
class AveragingOptimizer(Protocol):
    """An optimizer that keeps an average of its own: `eval` puts it into the weights, `train` undoes it."""

    def eval(self) -> None: ...

    def train(self) -> None: ...


def switch_averages(optimizers: Iterable[Optimizer], mode: Literal["train", "eval"]) -> None:
    """Call `train` or `eval` of those optimizers that keep an average."""
    for optimizer in optimizers:
        if isinstance(optimizer, AveragingOptimizer):
            getattr(optimizer, mode)()


@torch.no_grad()
def average_of_optimizer(optimizer: AveragingOptimizer, model: nn.Module) -> dict[str, Tensor]:
    """Return the average that an optimizer keeps, by the parameter's name.

    `train` computes the weights from the average and so rounds them. Here they stay as they were, to the bit:
    how often a run is scored changes nothing of it.
    """
    weights = {name: parameter.data for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    optimizer.eval()
    average = {name: parameter.data.clone() for name, parameter in model.named_parameters()}
    optimizer.train()
    for name, parameter in model.named_parameters():
        parameter.data = weights[name]
    return average
