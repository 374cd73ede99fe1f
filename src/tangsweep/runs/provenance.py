"""What code and which libraries made a run."""

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from tangsweep.files import REPOSITORY

PACKAGES = (
    "tangsweep", "torch", "pytorch-lightning", "hydra-core", "omegaconf", "wandb", "fastNLP",
    "numpy", "pandas",
)  # fmt: skip


def git() -> dict[str, Any]:
    """`commit` and whether tracked files differ from it; both None outside a git checkout."""

    def output(*arguments: str) -> str | None:
        command = ["git", "-C", str(REPOSITORY), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = output("rev-parse", "HEAD")
    changed = output("status", "--porcelain", "--untracked-files=no") if commit else None
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


@cache
def machine() -> str:
    """Processor, cores that this process may use, and system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} cores, {platform.system()}"


def _processor() -> str:
    """By its name where Linux tells it, else by its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next((name for name in names if name and name != "unknown"), platform.machine())


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages whose change could change a result."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}
