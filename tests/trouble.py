"""Optimizers that fail on purpose, for the tests: `optimizer._target_=tests.trouble.Raises`."""

import contextlib
import os
import signal
from pathlib import Path
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


class KillsWandb(_FailingSGD):
    """Kills W&B's own process, as the system does when memory runs out."""

    def fail(self) -> None:
        kill_wandb()


class RunsOutOfMemory(_FailingSGD):
    def fail(self) -> None:
        raise MemoryError


def kill_wandb() -> list[int]:
    """Kill the process of W&B that this one has started, if one lives; it is dead when its pid is returned."""
    pids = wandb_processes()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # W&B's client may still ask for its status
    return pids


def stop_wandb() -> list[int]:
    """Stop the process of W&B that this one has started, if one lives; it is stopped when its pid is returned."""
    pids = wandb_processes()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    return pids


def wandb_processes() -> list[int]:
    """Find W&B's own process among the living children of this one: one pid, or none."""
    stats = []  # `PID (NAME) STATE PARENT …`
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended by now
            stats.append(path.read_text())
    children = [stat for stat in stats if int(stat.rpartition(")")[2].split()[1]) == os.getpid()]
    return [
        int(stat.split()[0]) for stat in children if "(wandb-core) " in stat and "(wandb-core) Z" not in stat
    ]
