"""The loss of a language model of LSTMs and its gradients, without autograd.

The operations are those that `LanguageModel.loss` and its backward pass perform, in the same order, so that
every bit is the same. What is left out is autograd's own work: in a small model it takes about as long as the
arithmetic (docs/performance.md).
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from tangsweep.cells.lstm import LSTM, State
from tangsweep.input_layers import Embedding
from tangsweep.kernels.cross_entropy import OutputLayerInputs, compute_cross_entropy, cross_entropy_options
from tangsweep.kernels.lstm import (
    LSTMInputs,
    LSTMKernelOptions,
    Trace,
    lstm_backward,
    lstm_forward,
    lstm_options,
)
from tangsweep.language_model import Carry, LanguageModel, LossOutput, select_scored

DTYPES = (torch.float32, torch.float64)


class LayerRun(NamedTuple):
    """What one layer read, how it computes, and what its backward pass needs."""

    inputs: LSTMInputs
    options: LSTMKernelOptions
    trace: Trace


def has_direct_gradients(model: LanguageModel) -> bool:
    """Return whether `loss_and_gradients` can do the work of autograd: LSTMs on embeddings, without dropout
    or projection, all weights in float32 or float64 on the CPU.
    """
    if type(model) is not LanguageModel or not isinstance(model.embedding, Embedding):
        return False
    rates = (model.dropout.rate, model.embedding.id_dropout, model.recurrent_dropout)
    return (
        all(type(cell) is LSTM for cell in model.cells)
        and not any(rates)
        and model.projection is None
        and all(p.requires_grad and p.device.type == "cpu" and p.dtype in DTYPES for p in model.parameters())
    )


@torch.no_grad()
def loss_and_gradients(
    model: LanguageModel,
    inputs: Tensor,
    targets: Tensor,
    times: Tensor | None = None,
    carry: Carry | None = None,
) -> tuple[LossOutput, Carry]:
    """Return what `model.loss` returns, and set the gradient of every parameter as its backward pass would.

    Gradients of an earlier call are replaced, not added to. An LSTM reads no `times`. Raises ValueError where
    nothing is scored.
    """
    ids = inputs.t()
    runs, next_carry = _run_layers(model, F.embedding(ids, model.embedding_weight), carry)
    hidden, scored_targets, positions = select_scored(runs[-1].trace.h[1:], targets)
    output = OutputLayerInputs(hidden, model.output.weight, model.output.bias)
    options = cross_entropy_options(hidden, scored_targets, model.kernel)
    nats, (dhidden, dweight, dbias) = compute_cross_entropy(output, options, (True, True, True))
    assert dhidden is not None
    for parameter, gradient in ((model.output.weight, dweight), (model.output.bias, dbias)):
        parameter.grad = gradient
    dx = _at_all_positions(dhidden, positions, runs[-1].trace)
    for cell, run in zip(reversed(list(model.cells)), reversed(runs), strict=True):
        needed = (True, True, True, True, False, False)
        dx_below, cell.W.grad, cell.U.grad, cell.b.grad, *_ = lstm_backward(
            run.inputs, run.trace, run.options, dx, None, needed
        )
        assert dx_below is not None
        dx = dx_below
    _add_embedding_gradient(model, ids, dx)
    return LossOutput(nats.mean(), nats, scored_targets), next_carry


def _run_layers(model: LanguageModel, x: Tensor, carry: Carry | None) -> tuple[list[LayerRun], Carry]:
    runs: list[LayerRun] = []
    states: list[State] = []
    before: Sequence[object] = carry.states if carry else [None] * len(model.cells)
    for cell, state in zip(model.cells, before, strict=True):
        h, c = cast(State | None, state) or (None, None)
        inputs = LSTMInputs(x, cell.W, cell.U, cell.b, h, c)
        options = lstm_options(x, cast(LSTM, cell).kernel)
        trace = lstm_forward(inputs, options)
        runs.append(LayerRun(inputs, options, trace))
        states.append(State(trace.h[-1], trace.c[-1]))
        x = trace.h[1:]
    return runs, Carry(states, len(x) + (carry.steps if carry else 0))


def _at_all_positions(dhidden: Tensor, positions: Tensor, trace: Trace) -> Tensor:
    """Return the gradient of all hidden states (T, B, H): zero where nothing is scored."""
    T, B, H = trace.tanh_c.shape
    if len(positions) == T * B:
        return dhidden.view(T, B, H)
    return dhidden.new_zeros(T * B, H).index_add_(0, positions, dhidden).view(T, B, H)


def _add_embedding_gradient(model: LanguageModel, ids: Tensor, dx: Tensor) -> None:
    """Set the gradient of the embeddings; where the output layer has the same weights, add it to theirs."""
    weight = model.embedding_weight
    gradient = torch.ops.aten.embedding_dense_backward(dx, ids, len(weight), -1, False)
    if weight is model.output.weight:
        assert weight.grad is not None
        weight.grad.add_(gradient)
    else:
        weight.grad = gradient
