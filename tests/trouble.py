"""Optimizers that fail in every way; a sweep names them by `optimizer._target_=tests.trouble.Raises`."""

import os
import signal
from typing import Any

import torch

LATE = 5  # the step at which trouble begins


class _Trouble(torch.optim.SGD):
    def __init__(self, params: Any, lr: float, **options: Any) -> None:
        super().__init__(params, lr=lr, **options)
        self.steps = 0

    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        loss = super().step(closure)
        self.steps += 1
        if self.steps == LATE:
            self.begin()
        return loss

    def begin(self) -> None:
        raise NotImplementedError


class Raises(_Trouble):
    def begin(self) -> None:
        raise ZeroDivisionError("as told")


class Diverges(_Trouble):
    def begin(self) -> None:
        with torch.no_grad():
            self.param_groups[0]["params"][0].fill_(float("nan"))


class IsKilled(_Trouble):
    """As the system does when memory runs out."""

    def begin(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class RunsOutOfMemory(_Trouble):
    def begin(self) -> None:
        raise MemoryError
