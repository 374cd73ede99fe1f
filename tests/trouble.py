"""Optimizers that fail on purpose, for the tests: `optimizer._target_=tests.trouble.Raises`."""

import os
import signal
from typing import Any

import torch

FAILING_STEP = 5


class _FailingSGD(torch.optim.SGD):
    def __init__(self, params: Any, lr: float, **options: Any) -> None:
        super().__init__(params, lr=lr, **options)
        self.steps = 0

    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        loss = super().step(closure)
        self.steps += 1
        if self.steps == FAILING_STEP:
            self.fail()
        return loss

    def fail(self) -> None:
        raise NotImplementedError


class Raises(_FailingSGD):
    def fail(self) -> None:
        raise ZeroDivisionError("on purpose")


class Diverges(_FailingSGD):
    def fail(self) -> None:
        with torch.no_grad():
            self.param_groups[0]["params"][0].fill_(float("nan"))


class IsKilled(_FailingSGD):
    """Kills the process, as the system does when memory runs out."""

    def fail(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class RunsOutOfMemory(_FailingSGD):
    def fail(self) -> None:
        raise MemoryError
