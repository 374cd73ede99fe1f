"""The kernels in PyTorch: for every device and every precision, and where there is no C compiler."""

import math

import torch
from torch import Tensor

from tangsweep.kernels.matmul import matmul

NAME = "torch"
TAKES_LOW_PRECISION = True  # products with U have the precision of U
sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input  # (gradient, σ(a)) → gradient · σ(a)(1 − σ(a))
tanh_backward = torch.ops.aten.tanh_backward.grad_input  # (gradient, tanh(a)) → gradient · (1 − tanh²(a))


def forward(U: Tensor, gates: Tensor, h: Tensor, c: Tensor, tanh_c: Tensor) -> None:
    """Run equations 1 to 6 of docs/gradients.md over a sequence, in place.

    `gates` (T, B, 4H) holds x W + b and becomes the activated gates. `h` and `c` (T + 1, B, H) hold the
    initial state in their first row; their other rows and `tanh_c` (T, B, H) are filled.
    """
    H = len(U)
    for t, a in enumerate(gates.unbind(0)):
        matmul(h[t], U, out=a, add=True, precision=U.dtype)
        i, f, g, o = a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :]
        a[:, : 2 * H].sigmoid_()
        g.tanh_()
        o.sigmoid_()
        torch.mul(f, c[t], out=c[t + 1]).addcmul_(i, g)
        torch.tanh(c[t + 1], out=tanh_c[t])
        torch.mul(o, tanh_c[t], out=h[t + 1])


def backward(
    U: Tensor, gates: Tensor, c: Tensor, tanh_c: Tensor, doutputs: Tensor | None, dh: Tensor, dc: Tensor
) -> None:
    """Run equations 13 to 18 of docs/gradients.md, in place.

    `gates` (T, B, 4H) holds the activated gates and becomes the gradient of x W + b. `doutputs` (T, B, H) is
    the gradient of all hidden states, None for zeros. `dh` and `dc` (B, H) hold the gradient of the final
    state and become that of the initial state.
    """
    H, Ut = len(U), U.t()
    factor, dc_before = torch.empty_like(dc), torch.empty_like(dc)
    for t in reversed(range(len(gates))):
        a, c_before = gates[t], c[t]
        i, f, g, o = a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :]
        if doutputs is not None:
            dh += doutputs[t]  # 13
        tanh_backward(torch.mul(dh, o, out=factor), tanh_c[t], grad_input=dc_before)
        dc += dc_before  # 14
        sigmoid_backward(torch.mul(dh, tanh_c[t], out=factor), o, grad_input=o)  # 16
        torch.mul(dc, c_before, out=factor)
        torch.mul(dc, f, out=dc_before)
        sigmoid_backward(factor, f, grad_input=f)  # 15
        torch.mul(dc, g, out=factor)
        tanh_backward(dc.mul_(i), g, grad_input=g)
        sigmoid_backward(factor, i, grad_input=i)
        dc.copy_(dc_before)  # 18
        dh.zero_()
        matmul(a, Ut, out=dh, add=True, precision=U.dtype)  # 17


def cross_entropy(z: Tensor, targets: Tensor, scale: float, nats: Tensor) -> None:
    """Run equations 21 and 22 of docs/gradients.md, in place.

    `z` (N, V) holds the logits and becomes scale · (q − 1_y), where q are the probabilities and y the
    `targets` (N). `nats` (N) is filled.
    """
    column = targets[:, None]
    log_sum = torch.logsumexp(z, 1, keepdim=True)
    torch.sub(log_sum, z.gather(1, column), out=nats[:, None])
    z.sub_(log_sum - math.log(scale)).exp_()
    z.scatter_add_(1, column, z.new_full(column.shape, -scale))


def hits(z: Tensor, targets: Tensor, hit: Tensor) -> None:
    """Fill `hit` (N), of bools: whether the first highest logit of each row of `z` (N, V) is its target."""
    torch.eq(z.argmax(1), targets, out=hit)
