"""How many workers pay off on this machine, and what each sees of it."""

import os
from collections.abc import Sequence
from pathlib import Path

from tangsweep.config.groups import TrainerOptions
from tangsweep.errors import UserError

MEMORY = 1 << 30  # bytes that a worker with torch, its data and a small model may need

MANY = 1024
CONTAINER = Path("/sys/fs/cgroup")  # its limits, where there is one


def check(wanted: int | None) -> None:
    """Raises UserError for a number of workers below one."""
    if wanted is not None and wanted < 1:
        raise UserError(f"hydra.launcher.workers={wanted} makes no sense: it must be 1 or more, or null")


def worker_environments(workers: int | None, trainers: Sequence[TrainerOptions]) -> list[dict[str, str]]:
    """Return one environment a worker; where any run has trainer=gpu each worker sees one GPU of its own.

    `workers` None: as many as pay off. Small models run faster in two processes of one thread each than in
    one of two, so there are as many workers as the most `trainer.threads` fit into the cores, memory allowing.
    """
    if any(trainer.accelerator == "gpu" for trainer in trainers):
        devices = _gpus()
        return [{"CUDA_VISIBLE_DEVICES": devices[n % len(devices)]} for n in range(workers or len(devices))]
    threads = max((trainer.threads for trainer in trainers), default=1)
    return [{} for _ in range(workers or max(1, min(_cores() // threads, _room())))]


def _cores() -> int:
    """Those that this process may use, a container's share of time included."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _read(CONTAINER / "cpu.max").split()
    if len(share) == 2 and share[0].isdigit():
        cores = min(cores, int(share[0]) // int(share[1]))
    return max(1, cores)


def _room() -> int:
    """How many workers the memory that is left holds; a large number where it cannot be told."""
    left = [MANY * MEMORY]
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            left.append(int(line.split()[1]) << 10)
    limit, used = (_read(CONTAINER / f"memory.{name}").strip() for name in ("max", "current"))
    if limit.isdigit() and used.isdigit():
        left.append(int(limit) - int(used))
    return max(1, min(left) // MEMORY)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def _gpus() -> list[str]:
    """The names of the GPUs that this process may use."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named:
        return named.split(",")
    import torch

    return [str(number) for number in range(max(1, torch.cuda.device_count()))]
