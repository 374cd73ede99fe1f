"""The seam between torch's training loop and the NumPy LSTM of `analytic`; `cell=numpy_lstm` crosses it.

Torch holds the parameters, Lightning drives the loop; forward pass, gradients and update rule are
NumPy's, on the same memory. Torch divides the loss by the number of scored characters, clips, and
takes the cross-entropy of evaluations; no torch cell, derivative of one, or torch.optim rule takes part.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tangsweep.analytic import language_model as analytic
from tangsweep.analytic import lstm
from tangsweep.analytic.optimizers import OPTIMIZERS, Optimizer
from tangsweep.cells.lstm import State
from tangsweep.language_model import Carry, LanguageModel, LossOutput


class NumpyLanguageModel(LanguageModel):
    """A one-layer LSTM language model that takes over the parameters of `model`, names included."""

    def __init__(self, model: LanguageModel) -> None:
        nn.Module.__init__(self)
        self.embedding, self.cells, self.output = model.embedding, model.cells, model.output
        self.hidden_size, self.dropout, self.kernel = model.hidden_size, 0.0, model.kernel

    @property
    def weights(self) -> analytic.Weights:
        """NumPy views of the parameters: to change the one is to change the other."""
        cell = lstm.Parameters(*(_array(p) for p in (self.cells[0].W, self.cells[0].U, self.cells[0].b)))
        return analytic.Weights(
            _array(self.embedding.weight), cell, _array(self.output.weight), _array(self.output.bias)
        )

    @property
    def ordered(self) -> list[Tensor]:
        """The parameters in the order of `analytic.Weights`, flattened."""
        cell = self.cells[0]
        return [self.embedding.weight, cell.W, cell.U, cell.b, self.output.weight, self.output.bias]

    def _read(self, inputs: Tensor, times: Tensor | None, carry: Carry | None) -> tuple[Tensor, Carry]:
        """For evaluation and text, without a gradient: the output layer is torch's there."""
        weights, (h0, c0) = self.weights, self._initial(inputs, carry)
        trace = lstm.forward(weights.cell, weights.embedding[_array(inputs).T], h0, c0)
        final = State(*map(torch.from_numpy, (trace.h[-1], trace.c[-1])))
        return torch.from_numpy(trace.h[1:]), _left(final, inputs, carry)

    def loss(
        self, inputs: Tensor, targets: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[LossOutput, Carry]:
        """The cross-entropy of `targets` (B, T), without those that are −1, with NumPy's gradient behind it.

        A state carried in is a constant (truncated BPTT); an LSTM reads no time stamps.
        Raises ValueError where nothing is scored.
        """
        nats, left = self.nats(inputs, targets, carry)
        scored = targets >= 0
        return LossOutput(nats.sum() / scored.sum(), nats.detach()[scored], targets[scored]), left

    def nats(self, inputs: Tensor, targets: Tensor, carry: Carry | None = None) -> tuple[Tensor, Carry]:
        """(B, T) of every target, 0 where it is −1."""
        nats, h, c = _Nats.apply(self, inputs, targets, carry, *self.ordered)
        return nats, _left(State(h, c), inputs, carry)

    def _initial(self, inputs: Tensor, carry: Carry | None) -> tuple[np.ndarray, np.ndarray]:
        if carry is not None:
            return _array(carry.states[0].h), _array(carry.states[0].c)
        zeros = np.zeros((len(inputs), self.hidden_size), _array(self.output.weight).dtype)
        return zeros, zeros


def _left(final: State, inputs: Tensor, carry: Carry | None) -> Carry:
    return Carry([final], inputs.shape[1] + (carry.steps if carry else 0))


class _Nats(torch.autograd.Function):
    """Forward and backward of the whole model, both by `analytic.language_model`."""

    @staticmethod
    def forward(
        ctx: Any,
        model: NumpyLanguageModel,
        inputs: Tensor,
        targets: Tensor,
        carry: Carry | None,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        if not (targets >= 0).any():
            raise ValueError("no position is scored: every target is −1")
        ctx.weights, ctx.parameters = model.weights, parameters
        ctx.versions = [p._version for p in parameters]
        nats, ctx.memory = analytic.forward(
            ctx.weights, _array(inputs).T, _array(targets).T, *model._initial(inputs, carry)
        )
        final = [torch.from_numpy(states[-1].copy()) for states in (ctx.memory.trace.h, ctx.memory.trace.c)]
        ctx.mark_non_differentiable(*final)
        return torch.from_numpy(nats).t(), final[0], final[1]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dnats: Tensor, *final: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.memory is None:
            raise RuntimeError("a second backward pass through the NumPy model: its memory is used up")
        if ctx.versions != [p._version for p in ctx.parameters]:
            raise RuntimeError("a parameter was changed between the forward and the backward pass")
        memory, ctx.memory = ctx.memory, None
        d = analytic.backward(ctx.weights, memory, _array(dnats.t())).weights
        gradients = (d.embedding, *d.cell, d.output, d.bias)
        return None, None, None, None, *map(torch.from_numpy, gradients)


class NumpyOptimizer(torch.optim.Optimizer):
    """Lightning's view of a NumPy update rule; its state is saved and loaded like any optimizer's."""

    def __init__(self, parameters: Iterable[nn.Parameter], rule: Optimizer) -> None:
        super().__init__(parameters, asdict(rule) | {"rule": type(rule).__name__})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            kind = OPTIMIZERS[group["rule"]]
            settings = {field.name: group[field.name] for field in fields(kind)}
            rule = kind(**settings)  # anew each step: a schedule changes the learning rate
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(rule, parameter)
        return loss

    def _update(self, rule: Optimizer, parameter: Tensor) -> None:
        kept = self.state[parameter]
        state = {name: tensor.numpy() for name, tensor in kept.items()}
        rule.update(_array(parameter), _array(parameter.grad), state)
        for name, array in state.items():
            if name not in kept:
                kept[name] = torch.from_numpy(array)


def numpy_optimizer_factory(
    settings: Mapping[str, Any],
) -> Callable[[Iterable[nn.Parameter]], NumpyOptimizer]:
    """The NumPy rule that the config group `optimizer` names by the last part of its `_target_`."""
    rule = OPTIMIZERS[settings["_target_"].rpartition(".")[2]]
    options = {key: value for key, value in settings.items() if not key.startswith("_")}
    return lambda parameters: NumpyOptimizer(parameters, rule(**options))


def _array(tensor: Tensor | None) -> np.ndarray:
    assert tensor is not None
    return tensor.detach().numpy()
