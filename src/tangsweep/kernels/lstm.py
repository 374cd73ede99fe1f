"""An LSTM over a whole sequence as one autograd operation, with its gradient derived by hand.

It computes what cells/lstm.py defines step by step; equation numbers are those of docs/gradients.md. The
input projection of all steps is one matrix product before the loop, and the gradients of W, U, b and x are
one product each after it. Between them a kernel goes through time in place: the memory of the gates first
takes their activations, then their gradients.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from tangsweep.kernels.matmul import matmul, matmul_dtype
from tangsweep.kernels.select import Kernels, select_kernels


class LSTMInputs(NamedTuple):
    """The tensors that the operation reads."""

    x: Tensor  # (T, B, E)
    W: Tensor  # (E, 4H)
    U: Tensor  # (H, 4H)
    b: Tensor  # (4H)
    h: Tensor | None  # (B, H), None: zeros
    c: Tensor | None  # (B, H), None: zeros


class LSTMKernelOptions(NamedTuple):
    """The kernels, and the precision of matrix products: under autocast it is not that of x."""

    kernels: Kernels
    precision: torch.dtype


class Trace(NamedTuple):
    """The values that the backward pass needs; h[t] and c[t] are the state before step t."""

    gates: Tensor  # (T, B, 4H), activated
    h: Tensor  # (T + 1, B, H)
    c: Tensor  # (T + 1, B, H)
    tanh_c: Tensor  # (T, B, H), tanh of c[1:]


def lstm_sequence(
    x: Tensor, W: Tensor, U: Tensor, b: Tensor, h: Tensor | None, c: Tensor | None, kernel: str = "auto"
) -> tuple[Tensor, Tensor]:
    """Return all hidden states (T, B, H) and the last cell state (B, H) of x (T, B, E).

    W (E, 4H), U (H, 4H) and b (4H) hold the gates in the order i, f, g, o. The initial state `h`, `c` is
    zeros where it is None. `kernel` is auto, torch or native. Raises RuntimeError where a gradient of a
    gradient is computed.
    """
    options = lstm_options(x, kernel)
    apply: Callable[..., tuple[Tensor, Tensor]] = _LSTMSequence.apply
    with torch.autocast(x.device.type, enabled=False):
        return apply(options, x, W, U, b, h, c)


def lstm_options(x: Tensor, kernel: str) -> LSTMKernelOptions:
    """Return the kernels and the precision for an input like `x`."""
    return LSTMKernelOptions(select_kernels(kernel, x.device, x.dtype), matmul_dtype(x))


class _Context(Protocol):
    """The autograd context, through which the forward pass hands values to the backward pass."""

    saved_tensors: tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None, Tensor | None]  # LSTMInputs
    needs_input_grad: tuple[bool, ...]  # of the options, then of LSTMInputs
    options: LSTMKernelOptions
    trace: Trace | None  # None once a backward pass has overwritten it

    def save_for_backward(self, *tensors: Tensor | None) -> None: ...
    def set_materialize_grads(self, value: bool) -> None: ...


class _LSTMSequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: _Context,
        options: LSTMKernelOptions,
        x: Tensor,
        W: Tensor,
        U: Tensor,
        b: Tensor,
        h: Tensor | None,
        c: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, W, U, b, h, c)
        ctx.set_materialize_grads(False)
        trace = lstm_forward(LSTMInputs(x, W, U, b, h, c), options)
        ctx.options, ctx.trace = options, trace
        return trace.h[1:], trace.c[-1]

    @staticmethod
    def backward(ctx: _Context, doutputs: Tensor | None, dc_last: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("no gradient of a gradient here: cells.cell.unroll_step_by_step has one")
        inputs, trace, ctx.trace = LSTMInputs(*ctx.saved_tensors), ctx.trace, None
        if trace is None:  # a second backward pass through a retained graph
            trace = lstm_forward(inputs, ctx.options)
        gradients = lstm_backward(inputs, trace, ctx.options, doutputs, dc_last, ctx.needs_input_grad[1:])
        return None, *gradients


def lstm_forward(inputs: LSTMInputs, options: LSTMKernelOptions) -> Trace:
    """Run over x, and return all that the backward pass needs; `h[1:]` are the hidden states."""
    x, W, U, b, h, c = inputs
    (T, B, E), H = x.shape, len(U)
    gates = matmul(x.reshape(T * B, E), W, b, precision=options.precision).view(T, B, 4 * H)
    trace = Trace(gates, *(x.new_empty(steps, B, H) for steps in (T + 1, T + 1, T)))
    for states, initial in ((trace.h, h), (trace.c, c)):
        states[0] = 0 if initial is None else initial
    options.kernels.forward(_recurrent_weights(U, options), *trace)
    return trace


def lstm_backward(
    inputs: LSTMInputs,
    trace: Trace,
    options: LSTMKernelOptions,
    doutputs: Tensor | None,
    dc_last: Tensor | None,
    needed: tuple[bool, ...],
) -> list[Tensor | None]:
    """Return the gradients of those `inputs` that are `needed`, None for the others.

    `doutputs` (T, B, H) is the gradient of all hidden states, `dc_last` (B, H) that of the last cell state.
    The memory of `trace` is used up.
    """
    x, W, U = inputs[:3]
    T, B, H = trace.tanh_c.shape
    dh = x.new_zeros(B, H)
    dc = torch.zeros_like(dh) if dc_last is None else dc_last.clone(memory_format=torch.contiguous_format)
    doutputs = None if doutputs is None else doutputs.contiguous()
    U_read = _recurrent_weights(U, options)
    options.kernels.backward(U_read, trace.gates, trace.c, trace.tanh_c, doutputs, dh, dc)
    da, h_before = trace.gates.view(T * B, 4 * H), trace.h[:-1].view(T * B, H)
    return [
        matmul(da, W.t(), precision=options.precision).view_as(x) if needed[0] else None,  # 20
        matmul(x.reshape(T * B, -1).t(), da, precision=options.precision) if needed[1] else None,  # 19
        matmul(h_before.t(), da, precision=options.precision) if needed[2] else None,
        da.sum(0) if needed[3] else None,
        dh if needed[4] else None,
        dc if needed[5] else None,
    ]


def _recurrent_weights(U: Tensor, options: LSTMKernelOptions) -> Tensor:
    return U.to(options.precision) if options.kernels.TAKES_LOW_PRECISION else U.contiguous()
