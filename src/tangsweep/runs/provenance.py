"""Describes the code, libraries and machine for the records of runs, and logs the commands of a sweep."""

import json
import platform
import subprocess
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path

from tangsweep.files import IS_CHECKOUT, REPOSITORY, cannot_write
from tangsweep.machine import processor_name, usable_cores
from tangsweep.runs.checksums import CHECKSUM, checksum_of_values
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
            process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            return None
        return process.stdout.strip()

    commit = output("rev-parse", "HEAD") if IS_CHECKOUT else None
    changed = output("status", "--porcelain", "--untracked-files=no") if commit else None
    return GitState(commit=commit, dirty=None if changed is None else bool(changed))


@cache
def describe_machine() -> str:
    """Describe the processor, the cores that this process may use, and the system."""
    return f"{processor_name()}, {usable_cores()} cores, {platform.system()}"


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that could change a result."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}


def log_command(sweep: Path, runs: int, trained: int) -> None:
    """Append this command to commands.jsonl in the folder `sweep`: time, arguments, commit, numbers of runs.

    `runs` counts all runs of the command, `trained` those that it trains. Raises UserError where the folder
    cannot be written.
    """
    line: dict[str, object] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "arguments": sys.argv[1:],
        "git": git_state().model_dump(),
        "runs": runs,
        "trained": trained,
    }
    path = sweep / "commands.jsonl"
    try:
        sweep.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, CHECKSUM: checksum_of_values(line)}, ensure_ascii=False) + "\n")
    except OSError as error:
        raise cannot_write(path, error) from error
