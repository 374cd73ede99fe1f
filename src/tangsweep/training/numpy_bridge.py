"""The NumPy LSTM of `analytic` as a torch module and a torch optimizer, for `cell=numpy_lstm`.

Torch holds the parameters, and Lightning runs the training loop. Forward pass, gradients and update rule are
NumPy's, on the same memory. Torch divides the loss by the number of scored characters, clips gradients, and
computes the cross-entropy of evaluations. No cell, derivative of a cell, or optimizer of torch is used.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.optim.optimizer import ParamsT

from tangsweep.analytic import language_model as analytic
from tangsweep.analytic import lstm
from tangsweep.analytic.optimizers import OPTIMIZERS, Optimizer
from tangsweep.cells.lstm import State
from tangsweep.config.optimizer_options import optimizer_arguments
from tangsweep.language_model import Carry, LanguageModel, LossOutput


class ModelParameters(NamedTuple):
    """The parameters as torch holds them, in the order of `analytic.Weights`."""

    embedding: Tensor
    W: Tensor
    U: Tensor
    b: Tensor
    output: Tensor
    bias: Tensor

    def as_arrays(self) -> analytic.Weights:
        """Return NumPy views of the same memory: a change of one is a change of the other."""
        embedding, W, U, b, output, bias = map(_to_array, self)
        return analytic.Weights(embedding, lstm.Parameters(W, U, b), output, bias)


class NumpyLanguageModel(LanguageModel):
    """A one-layer LSTM language model that takes over the parameters of `model`, with their names."""

    def __init__(self, model: LanguageModel) -> None:
        nn.Module.__init__(self)
        self.embedding, self.cells, self.output = model.embedding, model.cells, model.output
        self.hidden_size, self.dropout, self.kernel = model.hidden_size, model.dropout, model.kernel
        self.recurrent_dropout, self.projection = 0.0, None  # which config.checks refuses

    @property
    def weights(self) -> ModelParameters:
        cell, output = self.cells[0], self.output
        return ModelParameters(self.embedding_weight, cell.W, cell.U, cell.b, output.weight, output.bias)

    def _hidden_states(
        self, inputs: Tensor, times: Tensor | None, carry: Carry | None
    ) -> tuple[Tensor, Carry]:
        """Run the LSTM without a gradient, for evaluation and text, where torch computes the output layer."""
        weights, state = self.weights.as_arrays(), self.initial_state(inputs, carry)
        trace = lstm.forward(weights.cell, weights.embedding[_to_array(inputs).T], *map(_to_array, state))
        final = State(torch.from_numpy(trace.h[-1]), torch.from_numpy(trace.c[-1]))
        return torch.from_numpy(trace.h[1:]), _next_carry(final, inputs, carry)

    def loss(
        self, inputs: Tensor, targets: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[LossOutput, Carry]:
        """Do what `LanguageModel.loss` does, with NumPy's gradient; an LSTM reads no time stamps."""
        nats, carry = self.nats(inputs, targets, carry)
        scored = targets >= 0
        return LossOutput(nats.sum() / scored.sum(), nats.detach()[scored], targets[scored]), carry

    def nats(self, inputs: Tensor, targets: Tensor, carry: Carry | None = None) -> tuple[Tensor, Carry]:
        """Return the nats (B, T) of all targets, 0 where the target is −1, and the new carry.

        The state in `carry` is a constant (truncated BPTT). Raises ValueError where nothing is scored.
        """
        apply: Callable[..., tuple[Tensor, Tensor, Tensor]] = _LanguageModelNats.apply
        nats, h, c = apply(inputs, targets, self.initial_state(inputs, carry), *self.weights)
        return nats, _next_carry(State(h, c), inputs, carry)

    def initial_state(self, inputs: Tensor, carry: Carry | None) -> State:
        """Return the state before the first time step of `inputs` (B, T)."""
        if carry is None:
            zeros = self.output.weight.new_zeros(len(inputs), self.hidden_size)
            return State(zeros, zeros)
        state = carry.states[0]
        assert isinstance(state, State)
        return state


def _next_carry(final: State, inputs: Tensor, carry: Carry | None) -> Carry:
    return Carry([final], inputs.shape[1] + (carry.steps if carry else 0))


class _Context(FunctionCtx):
    """The autograd context, through which the forward pass hands values to the backward pass."""

    weights: ModelParameters
    versions: list[int]  # torch counts every change of a parameter in place
    cache: analytic.ForwardCache | None  # None once a backward pass has overwritten it


class _LanguageModelNats(torch.autograd.Function):
    """Forward and backward pass of the whole model, both by `analytic.language_model`."""

    @staticmethod
    def forward(
        ctx: _Context, inputs: Tensor, targets: Tensor, state: State, *parameters: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        if not (targets >= 0).any():
            raise ValueError("no position is scored: every target is −1")
        ctx.weights = ModelParameters(*parameters)
        ctx.versions = [p._version for p in parameters]
        nats, cache = analytic.forward(
            ctx.weights.as_arrays(), _to_array(inputs).T, _to_array(targets).T, *map(_to_array, state)
        )
        ctx.cache = cache
        h, c = (torch.from_numpy(states[-1].copy()) for states in (cache.trace.h, cache.trace.c))
        ctx.mark_non_differentiable(h, c)
        return torch.from_numpy(nats).t(), h, c

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: _Context, dnats: Tensor, *final: Tensor) -> tuple[Tensor | None, ...]:
        cache, ctx.cache = ctx.cache, None
        if cache is None:
            raise RuntimeError("a second backward pass through the NumPy model: its memory is used up")
        if ctx.versions != [p._version for p in ctx.weights]:
            raise RuntimeError("a parameter was changed between the forward and the backward pass")
        gradients = analytic.backward(ctx.weights.as_arrays(), cache, _to_array(dnats.t())).weights
        arrays = (gradients.embedding, *gradients.cell, gradients.output, gradients.bias)
        return None, None, None, *map(torch.from_numpy, arrays)


class NumpyOptimizer(torch.optim.Optimizer):
    """A NumPy update rule as a torch optimizer, whose state is saved and loaded like any other's."""

    def __init__(self, parameters: ParamsT, rule: Optimizer) -> None:
        super().__init__(parameters, asdict(rule) | {"rule": type(rule).__name__})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rule_class = OPTIMIZERS[group["rule"]]
            # The rule is made anew for each step, because a schedule changes the group's learning rate.
            rule = rule_class(**{field.name: group[field.name] for field in fields(rule_class)})
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(rule, parameter)
        return loss

    def _update(self, rule: Optimizer, parameter: Tensor) -> None:
        tensors = self.state[parameter]
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        assert parameter.grad is not None
        rule.update(_to_array(parameter), _to_array(parameter.grad), arrays)
        for name, array in arrays.items():
            if name not in tensors:
                tensors[name] = torch.from_numpy(array)


def numpy_optimizer_factory(settings: Mapping[str, Any]) -> Callable[[ParamsT], NumpyOptimizer]:
    """Return a function that makes the optimizer of the config group `optimizer` from parameters.

    The NumPy rule is that with the name of the class in `_target_`.
    """
    rule_class = OPTIMIZERS[settings["_target_"].rpartition(".")[2]]
    options = optimizer_arguments(settings)
    return lambda parameters: NumpyOptimizer(parameters, rule_class(**options))


def _to_array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()
