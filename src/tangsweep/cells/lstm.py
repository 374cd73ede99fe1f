"""The long short-term memory cell.

Hochreiter and Schmidhuber 1997, with the forget gate of Gers, Schmidhuber and Cummins 2000:

    i = σ(x W_i + h U_i + b_i)      input gate
    f = σ(x W_f + h U_f + b_f)      forget gate
    g = tanh(x W_g + h U_g + b_g)   candidate
    o = σ(x W_o + h U_o + b_o)      output gate
    c' = f ⊙ c + i ⊙ g
    h' = o ⊙ tanh(c')

W, U and b hold the four gates side by side in the order i, f, g, o.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tangsweep.cells.cell import Cell
from tangsweep.kernels.lstm import lstm_sequence


class State(NamedTuple):
    """The hidden state and the cell state, each (B, H)."""

    h: Tensor
    c: Tensor


class LSTM(Cell[State]):
    """One layer with 4H(E + H + 1) parameters; `kernel` is auto, torch or native (kernels/select.py)."""

    gates = ("i", "f", "g", "o")

    def __init__(self, input_size: int, hidden_size: int, kernel: str = "auto") -> None:
        super().__init__()
        self.hidden_size, self.kernel = hidden_size, kernel
        self.W = nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.U = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.b = nn.Parameter(torch.empty(4 * hidden_size))

    def initial_state(self, batch: int) -> State:
        zeros = self.U.new_zeros(batch, self.hidden_size)
        return State(h=zeros, c=zeros)

    def project(self, x: Tensor, times: Tensor) -> Tensor:
        """Return x W + b, (T, B, 4H), for x (T, B, E)."""
        return x @ self.W + self.b

    def step(self, projected: Tensor, state: State) -> State:
        i, f, g, o = (projected + state.h @ self.U).chunk(4, dim=-1)
        c = f.sigmoid() * state.c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return State(h, c)

    def sequence(
        self, x: Tensor, state: State | None, times: Tensor | None = None, first: int = 0
    ) -> tuple[Tensor, State]:
        """Run over x (T, B, E) by `kernels.lstm`, which computes the same values faster than step by step."""
        h, c = state or (None, None)
        outputs, c = lstm_sequence(x, self.W, self.U, self.b, h, c, self.kernel)
        return outputs, State(outputs[-1], c)
