"""The code, the libraries and the machine that made a run, for its record."""

import platform
import subprocess
from functools import cache
from importlib import metadata

from tangsweep.files import REPOSITORY
from tangsweep.machine import processor_name, usable_cores
from tangsweep.runs.record import GitState

PACKAGES = (
    "tangsweep", "torch", "pytorch-lightning", "hydra-core", "omegaconf", "wandb", "fastNLP",
    "numpy", "pandas",
)  # fmt: skip


def git_state() -> GitState:
    """Return the commit and whether tracked files differ from it; both None outside a git checkout."""

    def output(*arguments: str) -> str | None:
        command = ["git", "-C", str(REPOSITORY), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = output("rev-parse", "HEAD")
    changed = output("status", "--porcelain", "--untracked-files=no") if commit else None
    return GitState(commit=commit, dirty=None if changed is None else bool(changed))


@cache
def machine() -> str:
    """Describe the processor, the cores that this process may use, and the system."""
    return f"{processor_name()}, {usable_cores()} cores, {platform.system()}"


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that could change a result."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}
