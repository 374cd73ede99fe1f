"""The kernels in C, on the CPU, in float32 and float64; what they do is said in kernels/pytorch.py."""

import torch
from torch import Tensor

from tangsweep.kernels import build

NAME = "native"
TAKES_LOW_PRECISION = False
# Below so many operations a step or a call, waiting for a second thread takes longer than its half.
ALONE = 400_000
LIBRARIES = {torch.float32: "float", torch.float64: "double"}


def forward(U: Tensor, gates: Tensor, h: Tensor, c: Tensor, tanh_c: Tensor) -> None:
    T, B, H = tanh_c.shape
    made = build.load(LIBRARIES[h.dtype])
    panels = h.new_empty(made.workspace(H))
    made.forward(T, B, H, *_addresses(U, gates, h, c, tanh_c, panels), _threads(8 * B * H * H))


def backward(
    U: Tensor, gates: Tensor, c: Tensor, tanh_c: Tensor, outputs: Tensor | None, dh: Tensor, dc: Tensor
) -> None:
    T, B, H = tanh_c.shape
    made = build.load(LIBRARIES[c.dtype])
    panels = c.new_empty(made.workspace(H))
    addresses = _addresses(U, gates, c, tanh_c, outputs, dh, dc, panels)
    made.backward(T, B, H, *addresses, _threads(8 * B * H * H))


def cross_entropy(z: Tensor, targets: Tensor, scale: float, nats: Tensor) -> None:
    made = build.load(LIBRARIES[z.dtype])
    made.cross_entropy(*z.shape, *_addresses(z, targets), scale, *_addresses(nats), _threads(20 * z.numel()))


def hits(z: Tensor, targets: Tensor, hit: Tensor) -> None:
    made = build.load(LIBRARIES[z.dtype])
    made.hits(*z.shape, *_addresses(z, targets, hit), _threads(z.numel()))


def _threads(operations: int) -> int:
    return torch.get_num_threads() if operations >= ALONE else 1


def _addresses(*tensors: Tensor | None) -> list[int | None]:
    """What C reads and writes. Raises ValueError where it would read something else."""
    for tensor in tensors:
        if tensor is not None and not tensor.is_contiguous():
            raise ValueError(f"a native kernel reads contiguous memory, got strides {tensor.stride()}")
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]
