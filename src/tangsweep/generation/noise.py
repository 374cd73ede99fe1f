"""The random numbers of sampling."""

import torch
from torch import Tensor


def gumbel(generator: torch.Generator, *shape: int) -> Tensor:
    """Gumbel noise of `shape`: argmax(logits/τ + noise) samples from softmax(logits/τ)."""
    uniform = torch.rand(*shape, generator=generator)
    return -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
