"""The vanilla recurrent cell, by hand (Elman 1990).

    h' = φ(x W + h U + b)

φ is tanh, relu, or leaky_relu with slope 0.01 below zero.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu, "leaky_relu": F.leaky_relu}


class State(NamedTuple):
    """(B, H)."""

    h: Tensor


class RNN(nn.Module):
    """One layer's parameters, H(E + H + 1) numbers, and its step; `unroll` runs it over time.

    Raises ValueError for a nonlinearity that NONLINEARITIES lacks.
    """

    gates = ("h",)

    def __init__(self, input_size: int, hidden_size: int, nonlinearity: str = "tanh") -> None:
        super().__init__()
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"no nonlinearity {nonlinearity}; there are: {', '.join(NONLINEARITIES)}")
        self.hidden_size, self.activate = hidden_size, NONLINEARITIES[nonlinearity]
        self.W = nn.Parameter(torch.empty(input_size, hidden_size))
        self.U = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.b = nn.Parameter(torch.empty(hidden_size))

    def initial_state(self, batch: int) -> State:
        """Zeros."""
        return State(h=self.U.new_zeros(batch, self.hidden_size))

    def project(self, x: Tensor, times: Tensor) -> Tensor:
        """(..., E) → (..., H): what does not depend on the state, for all time steps at once."""
        return x @ self.W + self.b

    def step(self, projected: Tensor, state: State) -> State:
        """One time step; `projected` (B, H) is that step's part of `project`."""
        return State(h=self.activate(projected + state.h @ self.U))
