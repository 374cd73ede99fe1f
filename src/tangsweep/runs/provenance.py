"""What code and which libraries made a run."""

import platform
import subprocess
from functools import cache
from importlib import metadata
from typing import Any

from tangsweep import places

PACKAGES = (
    "tangsweep", "torch", "pytorch-lightning", "hydra-core", "omegaconf", "wandb", "fastNLP",
    "numpy", "pandas",
)  # fmt: skip


def git() -> dict[str, Any]:
    """`commit` and whether tracked files differ from it; both None outside a git checkout."""

    def output(*arguments: str) -> str | None:
        command = ["git", "-C", str(places.REPOSITORY), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = output("rev-parse", "HEAD")
    changed = output("status", "--porcelain", "--untracked-files=no") if commit else None
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages whose change could change a result."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}
