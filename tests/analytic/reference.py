"""The second implementation of the derivatives: the plain loop, differentiated by torch's autograd."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tangsweep.analytic import lstm, rnn
from tangsweep.analytic.language_model import Gradients, Weights
from tangsweep.cells.cell import unroll
from tangsweep.cells.lstm import LSTM, State


def random_weights(random: np.random.Generator, V: int, E: int, H: int, scale: float = 1.0) -> Weights:
    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape) * scale

    cell = lstm.Parameters(normal(E, 4 * H), normal(H, 4 * H), normal(4 * H))
    return Weights(normal(V, E), cell, normal(V, H), normal(V))


class Problem:
    """A random language-model problem: weights, ids, mask, importance and an initial state."""

    def __init__(self, seed: int, V: int = 7, T: int = 6, B: int = 3, E: int = 4, H: int = 5) -> None:
        random = np.random.default_rng(seed)
        self.weights = random_weights(random, V, E, H)
        self.inputs = random.integers(V, size=(T, B))
        self.targets = np.where(random.random((T, B)) < 0.3, -1, random.integers(V, size=(T, B)))
        self.targets[0, 0] = 1  # at least one counts
        self.importance = random.random((T, B)) + 0.1
        self.h0, self.c0 = random.standard_normal((2, B, H))

    @property
    def arguments(self) -> tuple[Any, ...]:
        return self.weights, self.inputs, self.targets, self.importance, self.h0, self.c0


def torch_lstm(p: lstm.Parameters) -> LSTM:
    cell = LSTM(p.W.shape[0], p.U.shape[0]).double()
    with torch.no_grad():
        for name, array in p._asdict().items():
            getattr(cell, name).copy_(torch.from_numpy(array))
    return cell


def autograd(problem: Problem) -> tuple[float, Gradients]:
    """Return the loss of `problem` and every gradient, by torch."""
    w = problem.weights
    cell = torch_lstm(w.cell)
    embedding, output, bias, h0, c0 = (
        torch.from_numpy(a.copy()).requires_grad_()
        for a in (w.embedding, w.output, w.bias, problem.h0, problem.c0)
    )
    hidden, _ = unroll(cell, embedding[torch.from_numpy(problem.inputs)], State(h0, c0))
    logits = hidden @ output.t() + bias
    targets = torch.from_numpy(problem.targets)
    nats = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="none"
    )
    weights_of_positions = torch.from_numpy(problem.importance).flatten() * (targets.flatten() >= 0)
    loss = (nats * weights_of_positions).sum() / weights_of_positions.sum()
    loss.backward()
    weights = Weights(
        grad(embedding), lstm.Parameters(grad(cell.W), grad(cell.U), grad(cell.b)), grad(output), grad(bias)
    )
    return loss.item(), Gradients(weights, grad(h0), grad(c0))


def grad(tensor: Tensor) -> np.ndarray:
    assert tensor.grad is not None
    return tensor.grad.numpy()


def arrays(gradients: Any, prefix: str = "") -> dict[str, np.ndarray]:
    """Return every array of nested NamedTuples, by its path."""
    if isinstance(gradients, np.ndarray):
        return {prefix: gradients}
    by_path: dict[str, np.ndarray] = {}
    for name, value in gradients._asdict().items():
        by_path |= arrays(value, f"{prefix}.{name}".lstrip("."))
    return by_path


def rnn_autograd(
    p: rnn.Parameters, x: np.ndarray, targets: np.ndarray, h0: np.ndarray, last_only: bool
) -> tuple[float, rnn.Parameters, np.ndarray]:
    tensors = [torch.from_numpy(a.copy()).requires_grad_() for a in (*p, h0)]
    W_hx, W_hh, b_h, W_ph, b_p, h = tensors
    logits = []
    for t in range(len(x)):
        h = torch.tanh(torch.from_numpy(x[t]) @ W_hx + h @ W_hh + b_h)
        logits.append(h @ W_ph + b_p)
    first = len(x) - 1 if last_only else 0
    scored_targets = torch.from_numpy(targets[first:]).flatten()
    loss = torch.nn.functional.cross_entropy(torch.cat(logits[first:]), scored_targets, ignore_index=-1)
    loss.backward()
    return loss.item(), rnn.Parameters(*(grad(t) for t in tensors[:5])), grad(tensors[5])
