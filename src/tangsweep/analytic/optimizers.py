"""Optimizers in NumPy: one update rule a class, with the keywords of torch.optim.

Each takes a parameter's gradient and changes the parameter in place; `state` holds its running
averages, arrays of the parameter's shape, by name. `weight_decay` adds λ·parameter to the gradient.
Raised: ValueError for a value out of its range, and by `update` for a gradient of another shape.
"""

from dataclasses import dataclass

import numpy as np

from tangsweep.analytic.shapes import expect

State = dict[str, np.ndarray]


@dataclass
class SGD:
    """v ← μv + g; p ← p − lr·v, or p − lr·(g + μv) with `nesterov` (Sutskever et al. 2013).

    Plain gradient descent where `momentum` is 0. The first step sets v = g, as torch does.
    """

    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(self, "lr", "weight_decay", "momentum")
        _require(self, nesterov=not self.nesterov or self.momentum > 0)

    def update(self, p: np.ndarray, g: np.ndarray, state: State) -> None:
        g = _decayed(p, g, self.weight_decay)
        if self.momentum:
            if "momentum" in state:
                state["momentum"] *= self.momentum
                state["momentum"] += g
            else:
                state["momentum"] = g.copy()
            g = g + self.momentum * state["momentum"] if self.nesterov else state["momentum"]
        p -= self.lr * g


@dataclass
class Adagrad:
    """s ← s + g²; p ← p − lr·g / (√s + ε). Duchi, Hazan and Singer 2011."""

    lr: float
    eps: float = 1e-10
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(self, "lr", "weight_decay", "eps")

    def update(self, p: np.ndarray, g: np.ndarray, state: State) -> None:
        g = _decayed(p, g, self.weight_decay)
        total = _running(state, "sum", p)
        total += g * g
        p -= self.lr * g / (np.sqrt(total) + self.eps)


@dataclass
class Adadelta:
    """s ← ρs + (1−ρ)g²; Δ = g·√(d + ε)/√(s + ε); d ← ρd + (1−ρ)Δ²; p ← p − lr·Δ. Zeiler 2012."""

    lr: float
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(self, "lr", "weight_decay", "eps")
        _require(self, rho=0 <= self.rho <= 1)

    def update(self, p: np.ndarray, g: np.ndarray, state: State) -> None:
        g = _decayed(p, g, self.weight_decay)
        squares = _running(state, "square_avg", p)
        deltas = _running(state, "acc_delta", p)
        _average(squares, g * g, self.rho)
        delta = np.sqrt(deltas + self.eps) / np.sqrt(squares + self.eps) * g
        _average(deltas, delta * delta, self.rho)
        p -= self.lr * delta


@dataclass
class RMSprop:
    """s ← αs + (1−α)g²; p ← p − lr·g / (√s + ε). Tieleman and Hinton 2012; `momentum` as in torch."""

    lr: float
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(self, "lr", "weight_decay", "eps", "alpha", "momentum")

    def update(self, p: np.ndarray, g: np.ndarray, state: State) -> None:
        g = _decayed(p, g, self.weight_decay)
        squares = _running(state, "square_avg", p)
        _average(squares, g * g, self.alpha)
        step = g / (np.sqrt(squares) + self.eps)
        if self.momentum:
            buffer = _running(state, "momentum", p)
            buffer *= self.momentum
            buffer += step
            step = buffer
        p -= self.lr * step


@dataclass
class Adam:
    """m, v: averages of g and g²; p ← p − lr·m̂ / (√v̂ + ε), both corrected for their start at 0.

    Kingma and Ba 2015, algorithm 1.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(self, "lr", "weight_decay", "eps")
        _require(self, betas=len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas))

    def update(self, p: np.ndarray, g: np.ndarray, state: State) -> None:
        g = _decayed(p, g, self.weight_decay)
        first, second = self.betas
        mean = _running(state, "exp_avg", p)
        squares = _running(state, "exp_avg_sq", p)
        steps = state.setdefault("step", np.zeros((), dtype=np.int64))
        steps += 1
        _average(mean, g, first)
        _average(squares, g * g, second)
        corrected = np.sqrt(squares) / np.sqrt(1 - second ** int(steps))
        p -= self.lr / (1 - first ** int(steps)) * mean / (corrected + self.eps)


Optimizer = SGD | Adagrad | Adadelta | RMSprop | Adam
OPTIMIZERS = {kind.__name__: kind for kind in (SGD, Adagrad, Adadelta, RMSprop, Adam)}


def _not_negative(rule: object, *names: str) -> None:
    _require(rule, **{name: getattr(rule, name) >= 0 for name in names})


def _require(rule: object, **holds: bool) -> None:
    for name, good in holds.items():
        if not good:
            raise ValueError(f"{type(rule).__name__}: {name}={getattr(rule, name)} makes no sense")


def _decayed(p: np.ndarray, g: np.ndarray, weight_decay: float) -> np.ndarray:
    expect("gradient", g, *p.shape)
    return g + weight_decay * p if weight_decay else g


def _running(state: State, name: str, p: np.ndarray) -> np.ndarray:
    """The array kept under `name`, zeros at the first step only: nothing is allocated after it."""
    if name not in state:
        state[name] = np.zeros_like(p)
    return state[name]


def _average(average: np.ndarray, value: np.ndarray, keep: float) -> None:
    """average ← keep · average + (1 − keep) · value, in place."""
    average *= keep
    average += (1 - keep) * value
