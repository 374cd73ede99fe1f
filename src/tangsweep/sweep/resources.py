"""Chooses the number of workers and each worker's CUDA_VISIBLE_DEVICES."""

import os
from collections.abc import Sequence
from pathlib import Path

from tangsweep import machine
from tangsweep.config.groups import TrainerOptions
from tangsweep.errors import UserError

WORKER_MEMORY = 1 << 30  # bytes that a worker with torch, its data and a small model may need
UNLIMITED = 1024  # workers, where the memory that is left cannot be told


def check_workers(workers: int | None) -> None:
    """Raise UserError for a number of workers below one."""
    if workers is not None and workers < 1:
        raise UserError(f"hydra.launcher.workers={workers} is invalid: it must be 1 or more, or null")


def worker_environments(workers: int | None, trainers: Sequence[TrainerOptions]) -> list[dict[str, str]]:
    """Return one environment a worker; where any run has trainer=gpu each worker sees one GPU of its own.

    `workers` None: as many as pay off. Small models run faster in two processes of one thread each than in
    one of two, so there are as many workers as the most `trainer.threads` fit into the cores, memory
    allowing.
    """
    if any(trainer.accelerator == "gpu" for trainer in trainers):
        devices = _gpus()
        return [{"CUDA_VISIBLE_DEVICES": devices[n % len(devices)]} for n in range(workers or len(devices))]
    threads = max((trainer.threads for trainer in trainers), default=1)
    return [{} for _ in range(workers or max(1, min(_cores() // threads, _workers_in_memory())))]


def _cores() -> int:
    """Return the cores that this process may use, a container's share of time included."""
    cores, share = machine.usable_cores(), machine.cores_of_container()
    return max(1, cores if share is None else min(cores, share))


def _workers_in_memory() -> int:
    """Return how many workers the memory that is left holds."""
    free = [UNLIMITED * WORKER_MEMORY]
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            free.append(int(line.split()[1]) << 10)
    limit, used = (_read(machine.CONTAINER / f"memory.{name}").strip() for name in ("max", "current"))
    if limit.isdigit() and used.isdigit():
        free.append(int(limit) - int(used))
    return max(1, min(free) // WORKER_MEMORY)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def _gpus() -> list[str]:
    """Return the names of the GPUs that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return visible.split(",")
    import torch

    return [str(number) for number in range(max(1, torch.cuda.device_count()))]
