"""The kernels in C, on the CPU, for float32 and float64; kernels/pytorch.py documents what they compute."""

import torch
from torch import Tensor

from tangsweep.kernels import build

NAME = "native"
TAKES_LOW_PRECISION = False
# With fewer operations in a step or a call, waiting for a second thread takes longer than it saves.
MIN_OPERATIONS_FOR_THREADS = 400_000
REAL_TYPES = {torch.float32: "float", torch.float64: "double"}


def forward(U: Tensor, gates: Tensor, h: Tensor, c: Tensor, tanh_c: Tensor) -> None:
    T, B, H = tanh_c.shape
    library = build.load_library(REAL_TYPES[h.dtype])
    panels = h.new_empty(library.workspace(H))
    library.forward(T, B, H, *_addresses(U, gates, h, c, tanh_c, panels), _threads(8 * B * H * H))


def backward(
    U: Tensor, gates: Tensor, c: Tensor, tanh_c: Tensor, doutputs: Tensor | None, dh: Tensor, dc: Tensor
) -> None:
    T, B, H = tanh_c.shape
    library = build.load_library(REAL_TYPES[c.dtype])
    panels = c.new_empty(library.workspace(H))
    addresses = _addresses(U, gates, c, tanh_c, doutputs, dh, dc, panels)
    library.backward(T, B, H, *addresses, _threads(8 * B * H * H))


def cross_entropy(z: Tensor, targets: Tensor, scale: float, nats: Tensor) -> None:
    library = build.load_library(REAL_TYPES[z.dtype])
    threads = _threads(20 * z.numel())
    library.cross_entropy(*z.shape, *_addresses(z, targets), scale, *_addresses(nats), threads)


def hits(z: Tensor, targets: Tensor, hit: Tensor) -> None:
    library = build.load_library(REAL_TYPES[z.dtype])
    library.hits(*z.shape, *_addresses(z, targets, hit), _threads(z.numel()))


def _threads(operations: int) -> int:
    return torch.get_num_threads() if operations >= MIN_OPERATIONS_FOR_THREADS else 1


def _addresses(*tensors: Tensor | None) -> list[int | None]:
    """Return the tensors' addresses for C. Raises ValueError for a tensor that is not contiguous."""
    for tensor in tensors:
        if tensor is not None and not tensor.is_contiguous():
            raise ValueError(f"a native kernel reads contiguous memory, got strides {tensor.stride()}")
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]
