"""The only loop over time."""

from typing import Any, Protocol

import torch
from torch import Tensor


class Cell(Protocol):
    """What every cell offers; a state is a NamedTuple of (B, H) tensors whose first is h."""

    def initial_state(self, batch: int) -> Any: ...
    def project(self, x: Tensor) -> Tensor: ...
    def step(self, projected: Tensor, state: Any) -> Any: ...


def unroll(cell: Cell, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
    """Run `cell` over `x` (T, B, E): all hidden states (T, B, H) and the final state.

    `state` None starts from `cell.initial_state`. `unbind` rather than `x[t]`: indexing inside
    autograd makes the backward pass quadratic in T. Raises ValueError for an empty sequence or batch.
    """
    if x.ndim != 3 or 0 in x.shape[:2]:
        raise ValueError(f"expected inputs (T, B, E) with T and B of at least 1, got {tuple(x.shape)}")
    state = cell.initial_state(x.shape[1]) if state is None else state
    outputs = []
    for projected in cell.project(x).unbind(0):
        state = cell.step(projected, state)
        outputs.append(state.h)
    return torch.stack(outputs), state
