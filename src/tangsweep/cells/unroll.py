"""The only loop over time."""

from typing import Any, Protocol

import torch
from torch import Tensor


class Cell(Protocol):
    """What every cell offers; a state is a NamedTuple of (B, H) tensors whose first is h.

    `gates` names the blocks of its weights; most cells do not look at time stamps.
    """

    gates: tuple[str, ...]

    def initial_state(self, batch: int) -> Any: ...
    def project(self, x: Tensor, times: Tensor) -> Tensor: ...
    def step(self, projected: Tensor, state: Any) -> Any: ...


def unroll(
    cell: Cell, x: Tensor, state: Any = None, times: Tensor | None = None, first: int = 0
) -> tuple[Tensor, Any]:
    """Run `cell` over `x` (T, B, E): all hidden states (T, B, H) and the final state.

    `state` None starts from `cell.initial_state`; `times` are time stamps (T, B) or (T, 1), None the
    numbers from `first` on. A cell that has a `sequence` of its own is run by that, any other step by step.
    Raises ValueError for an empty sequence or batch, and for time stamps that decrease.
    """
    if x.ndim != 3 or 0 in x.shape[:2]:
        raise ValueError(f"expected inputs (T, B, E) with T and B of at least 1, got {tuple(x.shape)}")
    if times is not None:
        _check(times)
    sequence = getattr(cell, "sequence", None)
    return sequence(x, state) if sequence else step_by_step(cell, x, state, times, first)


def step_by_step(
    cell: Cell, x: Tensor, state: Any = None, times: Tensor | None = None, first: int = 0
) -> tuple[Tensor, Any]:
    """`unroll` by the cell's step alone, differentiated by autograd: the reference.

    `unbind` rather than `x[t]`: indexing inside autograd makes the backward pass quadratic in T.
    """
    if times is None:
        times = torch.arange(first, first + len(x), device=x.device)[:, None]
    state = cell.initial_state(x.shape[1]) if state is None else state
    outputs = []
    for projected in cell.project(x, times).unbind(0):
        state = cell.step(projected, state)
        outputs.append(state.h)
    return torch.stack(outputs), state


def _check(times: Tensor) -> None:
    falls = (times[1:] < times[:-1]).nonzero()
    if len(falls):
        step, row = falls[0].tolist()
        before, after = times[step, row].item(), times[step + 1, row].item()
        raise ValueError(f"time stamps must not decrease: row {row} goes from {before:g} to {after:g}")
