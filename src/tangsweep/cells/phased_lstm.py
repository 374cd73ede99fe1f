"""The Phased LSTM: an LSTM in which every unit is open only during a part of its own period.

Neil, Pfeiffer and Liu 2016, equations 6 to 10. At time stamp t the time gate k of a unit with period τ,
shift s, phase φ and open ratio r_on is

    φ = ((t − s) mod τ) / τ
    k = 2φ / r_on           where φ < r_on/2        opening
        2 − 2φ / r_on       where r_on/2 ≤ φ < r_on closing
        α φ                 elsewhere               closed; in training the leak α lets gradients pass

and the state moves by the share k towards the state of an LSTM (`cells/lstm.py`):

    c̃ = f ⊙ c + i ⊙ g       c' = k ⊙ c̃ + (1 − k) ⊙ c
    h̃ = o ⊙ tanh(c̃)         h' = k ⊙ h̃ + (1 − k) ⊙ h

With peepholes (Gers, Schraudolph and Schmidhuber 2002), c enters i and f, and c̃ enters o, each through one
weight per unit. k does not depend on the state, so it is computed for all time steps before the loop.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tangsweep.cells.cell import Cell, Initializer


class State(NamedTuple):
    """The hidden state and the cell state, each (B, H)."""

    h: Tensor
    c: Tensor


class PhasedLSTM(Cell[State]):
    """One layer with an LSTM's parameters and 2H for τ and s.

    τ is stored as its logarithm, so that it stays above 0 while it is learned. It starts at `period`, or at
    exp(U(low, high)) with `period_exponents` = (low, high) where `period` is None; s starts at U(0, τ).
    `r_on`, in (0, 1], is fixed; with `learn_r_on` every unit learns its own, which is stored as its logit.
    Raises ValueError where `r_on` or `period` is out of range.
    """

    gates = ("i", "f", "g", "o")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        r_on: float = 0.05,
        learn_r_on: bool = False,
        alpha: float = 1e-3,
        period: float | None = None,
        period_exponents: Sequence[float] = (1.0, 3.0),
        peepholes: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < r_on <= 1 or (learn_r_on and r_on == 1):
            raise ValueError(f"r_on={r_on} is invalid: it must be in (0, 1], and below 1 if it is learned")
        if period is not None and period <= 0:
            raise ValueError(f"period={period} is invalid: it must be above 0")
        self.hidden_size, self.alpha, self.r_on = hidden_size, alpha, r_on
        self.W = nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.U = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.b = nn.Parameter(torch.empty(4 * hidden_size))
        self.peepholes = nn.Parameter(torch.empty(3 * hidden_size)) if peepholes else None
        self.log_period = nn.Parameter(torch.empty(hidden_size))
        self.shift = nn.Parameter(torch.empty(hidden_size))
        self.r_on_logit = nn.Parameter(torch.empty(hidden_size)) if learn_r_on else None
        self.period, self.period_exponents = period, tuple(period_exponents)

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        """Return how τ, s and the open ratio start, in this order: s depends on τ."""
        low, high = self.period_exponents if self.period is None else [math.log(self.period)] * 2
        logit = math.log(self.r_on / (1 - self.r_on)) if self.r_on < 1 else math.inf
        return {
            "log_period": lambda p, generator: p.uniform_(low, high, generator=generator),
            "shift": lambda p, generator: p.uniform_(generator=generator).mul_(self.log_period.exp()),
            "r_on_logit": lambda p, generator: p.fill_(logit),
        }

    def initial_state(self, batch: int) -> State:
        zeros = self.U.new_zeros(batch, self.hidden_size)
        return State(h=zeros, c=zeros)

    def openness(self, times: Tensor) -> Tensor:
        """Return k of every unit, (..., H) and between 0 and 1, at the time stamps `times` (...)."""
        period = self.log_period.exp()
        phase = torch.remainder(times.to(period.dtype).unsqueeze(-1) - self.shift, period) / period
        r_on = self.r_on if self.r_on_logit is None else self.r_on_logit.sigmoid()
        opening = 2 * phase / r_on
        closed = self.alpha * phase if self.training else torch.zeros_like(phase)
        return torch.where(phase < r_on / 2, opening, torch.where(phase < r_on, 2 - opening, closed))

    def project(self, x: Tensor, times: Tensor) -> Tensor:
        """Return x W + b and k side by side, (T, B, 5H), for x (T, B, E)."""
        gates = x @ self.W + self.b
        k = self.openness(times)
        return torch.cat([gates, k.expand(*gates.shape[:-1], self.hidden_size)], dim=-1)

    def step(self, projected: Tensor, state: State) -> State:
        gates, k = torch.split(projected, [4 * self.hidden_size, self.hidden_size], dim=-1)
        i, f, g, o = (gates + state.h @ self.U).chunk(4, dim=-1)
        if self.peepholes is not None:
            p_i, p_f, p_o = self.peepholes.chunk(3)
            i, f = i + p_i * state.c, f + p_f * state.c
        c = f.sigmoid() * state.c + i.sigmoid() * g.tanh()
        if self.peepholes is not None:
            o = o + p_o * c
        h = o.sigmoid() * c.tanh()
        return State(h=torch.lerp(state.h, h, k), c=torch.lerp(state.c, c, k))
