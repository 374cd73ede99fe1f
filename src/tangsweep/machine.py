"""What this machine is: its processor, and the cores that this process may use."""

import os
import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
CONTAINER = Path("/sys/fs/cgroup")  # limits of the container, where this process runs in one


def read_cpu_info() -> str:
    """Return Linux's description of the processors; an empty string on other systems."""
    try:
        return CPU_INFO.read_text(encoding="utf-8")
    except OSError:
        return ""


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
    try:
        quota, _, period = (CONTAINER / "cpu.max").read_text(encoding="ascii").strip().partition(" ")
    except OSError:
        return None
    return int(quota) // int(period) if quota.isdigit() and period.isdigit() else None
