"""This machine: its processor, cores, memory and GPUs, and how many workers it holds."""

import os
import platform
import re
from pathlib import Path

from tangsweep.errors import UserError

CPU_INFO = Path("/proc/cpuinfo")
CONTAINER = Path("/sys/fs/cgroup")  # limits of the container, where this process runs in one
WORKER_MEMORY = 1 << 30  # bytes that a worker with torch, its data and a small model may need
UNLIMITED = 1024  # workers, where the memory that is left cannot be told


def read_cpu_info() -> str:
    """Return Linux's description of the processors; an empty string on other systems."""
    return _read(CPU_INFO)


def processor_name() -> str:
    """Return the processor's model name; its architecture where the system does not tell the name."""
    lines = (line for line in read_cpu_info().splitlines() if line.startswith("model name"))
    names = (line.partition(":")[2].strip() for line in lines)
    return next((name for name in names if name and name != "unknown"), platform.machine())


def is_intel() -> bool:
    """Return whether Intel made the processor."""
    return "GenuineIntel" in (read_cpu_info() or platform.processor())


def usable_cores() -> int:
    """Return how many cores this process may run on (its affinity), whatever share of their time it gets."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cores_of_container() -> int | None:
    """Return how many whole cores the container's share of time amounts to; None where there is no limit."""
    quota, _, period = _read(CONTAINER / "cpu.max").strip().partition(" ")
    return int(quota) // int(period) if quota.isdigit() and period.isdigit() else None


def check_workers(workers: int | None) -> None:
    """Raise UserError for a number of workers below one."""
    if workers is not None and workers < 1:
        raise UserError(f"hydra.launcher.workers={workers} is invalid: it must be 1 or more, or null")


def worker_environments(workers: int | None, gpu: bool, threads: int) -> list[dict[str, str]]:
    """Return the environment variables of each worker; with `gpu` each worker sees one GPU of its own.

    `workers` None: as many as pay off. Small models run faster in two processes of one thread each than in
    one of two, so there are as many workers as `threads` fit into the cores, memory allowing.
    """
    if gpu:
        devices = _gpus()
        return [{"CUDA_VISIBLE_DEVICES": devices[n % len(devices)]} for n in range(workers or len(devices))]
    return [{} for _ in range(workers or max(1, min(_cores() // threads, _workers_in_memory())))]


def _cores() -> int:
    """Return the cores that this process may use, a container's share of time included."""
    cores, share = usable_cores(), cores_of_container()
    return max(1, cores if share is None else min(cores, share))


def free_memory() -> int:
    """Return the bytes that processes may still take, on this machine and in its container."""
    free = [_physical_memory()]
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            free.append(int(line.split()[1]) << 10)
    limit, used = (_read(CONTAINER / f"memory.{name}").strip() for name in ("max", "current"))
    if limit.isdigit() and used.isdigit():
        cached = re.search(r"^inactive_file (\d+)$", _read(CONTAINER / "memory.stat"), re.MULTILINE)
        free.append(int(limit) - int(used) + (int(cached[1]) if cached else 0))  # the system frees its cache
    return min(free)


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return UNLIMITED * WORKER_MEMORY


def _workers_in_memory() -> int:
    """Return how many workers the memory that is left holds."""
    return max(1, free_memory() // WORKER_MEMORY)


def _read(path: Path) -> str:
    """Return a file of the system; an empty string where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _gpus() -> list[str]:
    """Return the names of the GPUs that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return visible.split(",")
    import torch

    return [str(number) for number in range(max(1, torch.cuda.device_count()))]
