"""How many workers pay off on this machine, and what each sees of it."""

import os
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tangsweep.errors import UserError

MEMORY = 1 << 20  # KiB that a worker with torch, its data and a small model may need


def check(wanted: int | None) -> None:
    """Raises UserError for a number of workers below one."""
    if wanted is not None and wanted < 1:
        raise UserError(f"hydra.launcher.workers={wanted} makes no sense: it must be 1 or more, or null")


def environments(wanted: int | None, config: Any) -> list[dict[str, str]]:
    """One environment a worker; with trainer=gpu each worker sees one GPU of its own.

    Small models run faster in two processes of one thread each than in one of two, so there are as many
    workers as `trainer.threads` fits into the cores, memory allowing.
    """
    if OmegaConf.select(config, "trainer.accelerator") == "gpu":
        devices = _gpus()
        return [{"CUDA_VISIBLE_DEVICES": devices[n % len(devices)]} for n in range(wanted or len(devices))]
    threads = OmegaConf.select(config, "trainer.threads") or 1
    return [{} for _ in range(wanted or max(1, min(_cores() // threads, _room())))]


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _room() -> int:
    """How many workers the memory that is left holds; a large number where it cannot be told."""
    try:
        facts = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return 1024
    left = next(line for line in facts.splitlines() if line.startswith("MemAvailable:"))
    return max(1, int(left.split()[1]) // MEMORY)


def _gpus() -> list[str]:
    """The names of the GPUs that this process may use."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named:
        return named.split(",")
    import torch

    return [str(number) for number in range(max(1, torch.cuda.device_count()))]
