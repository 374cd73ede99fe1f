"""The vanilla recurrent cell (Elman 1990).

    h' = φ(x W + h U + b)

φ is tanh, relu, or leaky_relu with slope 0.01 below zero.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tangsweep.cells.cell import Cell

NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu, "leaky_relu": F.leaky_relu}


class State(NamedTuple):
    """The hidden state, (B, H)."""

    h: Tensor


class RNN(Cell[State]):
    """One layer with H(E + H + 1) parameters.

    Raises ValueError for a nonlinearity that is not in NONLINEARITIES.
    """

    gates = ("h",)

    def __init__(self, input_size: int, hidden_size: int, nonlinearity: str = "tanh") -> None:
        super().__init__()
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"no nonlinearity {nonlinearity}; there are: {', '.join(NONLINEARITIES)}")
        self.hidden_size, self.nonlinearity = hidden_size, NONLINEARITIES[nonlinearity]
        self.W = nn.Parameter(torch.empty(input_size, hidden_size))
        self.U = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.b = nn.Parameter(torch.empty(hidden_size))

    def initial_state(self, batch: int) -> State:
        return State(h=self.U.new_zeros(batch, self.hidden_size))

    def project(self, x: Tensor, times: Tensor) -> Tensor:
        """Return x W + b, (T, B, H), for x (T, B, E)."""
        return x @ self.W + self.b

    def step(self, projected: Tensor, state: State) -> State:
        return State(h=self.nonlinearity(projected + state.h @ self.U))
