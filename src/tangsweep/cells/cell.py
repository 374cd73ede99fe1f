"""The interface of a recurrent cell, and the only loop over time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

Initializer = Callable[[Tensor, torch.Generator], object]  # fills a parameter in place


class RecurrentState(Protocol):
    """The state of a cell: a NamedTuple of (B, H) tensors, one of which is the hidden state `h`."""

    def __init__(self, *tensors: Tensor) -> None: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    @property
    def h(self) -> Tensor: ...


StateT = TypeVar("StateT", bound=RecurrentState)


class Cell(nn.Module, ABC, Generic[StateT]):
    """One recurrent layer: its parameters, and one time step of it.

    `gates` names the blocks, each H wide, of which W, U and b consist.
    """

    gates: tuple[str, ...]
    hidden_size: int
    W: nn.Parameter  # (E, gates · H), from the input
    U: nn.Parameter  # (H, gates · H), from the hidden state
    b: nn.Parameter  # (gates · H)

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        """Return how parameters that are no weights start, by name; all others follow the `init` scheme."""
        return {}

    @abstractmethod
    def initial_state(self, batch: int) -> StateT:
        """Return the state before the first time step of `batch` sequences: zeros."""

    @abstractmethod
    def project(self, x: Tensor, times: Tensor) -> Tensor:
        """Compute what does not depend on the state, for all time steps at once.

        `x` is (T, B, E), `times` (T, B) or (T, 1); the result is (T, B, …).
        """

    @abstractmethod
    def step(self, projected: Tensor, state: StateT) -> StateT:
        """Return the state after one time step; `projected` is the step's row of `project`."""

    def forward(
        self, x: Tensor, state: StateT | None = None, times: Tensor | None = None, first: int = 0
    ) -> tuple[Tensor, StateT]:
        """Do what `unroll` does with this cell."""
        return unroll(self, x, state, times, first)

    def sequence(
        self, x: Tensor, state: StateT | None, times: Tensor | None, first: int
    ) -> tuple[Tensor, StateT]:
        """Run over a whole sequence, as `unroll` describes it; a cell with a faster way overrides this."""
        return unroll_step_by_step(self, x, state, times, first)


AnyCell = Cell[Any]
CellFactory = Callable[[int, int], AnyCell]  # makes one layer from (input size, hidden size)


def unroll(
    cell: Cell[StateT], x: Tensor, state: StateT | None = None, times: Tensor | None = None, first: int = 0
) -> tuple[Tensor, StateT]:
    """Run `cell` over `x` (T, B, E) and return all hidden states (T, B, H) and the final state.

    `state` None is the initial state. `times` are time stamps, (T, B) or (T, 1); None numbers the time steps
    from `first` on. Raises ValueError for an empty sequence or batch, and for time stamps that decrease.
    """
    if x.ndim != 3 or 0 in x.shape[:2]:
        raise ValueError(f"expected inputs (T, B, E) with T and B of at least 1, got {tuple(x.shape)}")
    if times is not None:
        _check_order(times)
    return cell.sequence(x, state, times, first)


def unroll_step_by_step(
    cell: Cell[StateT], x: Tensor, state: StateT | None = None, times: Tensor | None = None, first: int = 0
) -> tuple[Tensor, StateT]:
    """Do what `unroll` does by the cell's step alone, differentiated by autograd.

    It is the reference for every faster way.
    """
    if times is None:
        times = torch.arange(first, first + len(x), device=x.device)[:, None]
    if state is None:
        state = cell.initial_state(x.shape[1])
    outputs = []
    for projected in cell.project(x, times).unbind(0):  # x[t] would make the backward pass quadratic in T
        state = cell.step(projected, state)
        outputs.append(state.h)
    return torch.stack(outputs), state


def _check_order(times: Tensor) -> None:
    decreases = (times[1:] < times[:-1]).nonzero()
    if len(decreases):
        step, row = decreases[0].tolist()
        before, after = times[step, row].item(), times[step + 1, row].item()
        raise ValueError(f"time stamps must not decrease: row {row} goes from {before:g} to {after:g}")
