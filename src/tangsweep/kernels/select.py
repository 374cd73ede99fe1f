"""Choose the kernels that compute: those in C where they can be had, else those in PyTorch."""

from typing import Protocol

import torch
from torch import Tensor

from tangsweep.kernels import native, pytorch

NAMES = ("auto", "torch", "native")


class Kernels(Protocol):
    """The functions that both `native` and `pytorch` have; kernels/pytorch.py documents them."""

    NAME: str  # as runs record it
    TAKES_LOW_PRECISION: bool  # U may have a lower precision than the other tensors

    def forward(self, U: Tensor, gates: Tensor, h: Tensor, c: Tensor, tanh_c: Tensor) -> None: ...
    def backward(
        self,
        U: Tensor,
        gates: Tensor,
        c: Tensor,
        tanh_c: Tensor,
        doutputs: Tensor | None,
        dh: Tensor,
        dc: Tensor,
    ) -> None: ...
    def cross_entropy(self, z: Tensor, targets: Tensor, scale: float, nats: Tensor) -> None: ...
    def hits(self, z: Tensor, targets: Tensor, hit: Tensor) -> None: ...


def select_kernels(name: str, device: torch.device, dtype: torch.dtype) -> Kernels:
    """Return the kernels for tensors of `dtype` on `device`, given the config's `cell.kernel`.

    They are `pytorch` where `name` is torch and where the native kernels cannot be had. Raises ValueError for
    a name that is not in NAMES.
    """
    if name not in NAMES:
        raise ValueError(f"no kernel {name}; there are: {', '.join(NAMES)}")
    real = native.REAL_TYPES.get(dtype) if device.type == "cpu" and name != "torch" else None
    return pytorch if real is None or native.why_unavailable(real) else native
