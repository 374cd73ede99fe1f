"""A run's folder: its layout, and the one way in which files that matter are written."""

import os
import tempfile
from pathlib import Path

from tangsweep import places
from tangsweep.errors import UserError


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write to a temporary name beside `path`, flush to disk, rename over `path`.

    A full disk or a kill leaves what was there before. Raises UserError where the folder cannot be
    written or the disk is full.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> UserError:
    """The one line for a folder that cannot be written or a disk that is full."""
    return UserError(
        f"cannot write {path} ({error.strerror or error}): free some space, mend its permissions, "
        "or set TANGSWEEP_HOME to a folder that can be written"
    )


def refusal(existing: list[Path], wanted: int) -> str:
    """The one line for runs that cannot start because their folders exist."""
    if wanted == 1:
        ended = "" if (existing[0] / "result.json").exists() else " that did not end"
        return (
            f"{places.shown(existing[0])} already holds a run{ended}, and runs are never overwritten: "
            "remove or rename it, or choose another sweep.name"
        )
    finished = sum((path / "result.json").exists() for path in existing)
    which = f"{finished} ended, {len(existing) - finished} did not end"
    named = f"{places.shown(existing[0])}{', …' if len(existing) > 1 else ''}"
    return (
        f"{len(existing)} of {wanted} runs exist already ({which}: {named}) and are never overwritten: "
        "remove or rename them, or choose another sweep.name"
    )


class RunFolder:
    """`outputs/<sweep>/<run>/` and the names of what lies in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.csv"
        self.result = path / "result.json"
        self.log = path / "train.log"
        self.poems = path / "poems.txt"
        self.samples = path / "samples.txt"
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"
        self.last = self.checkpoints / "last.ckpt"

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """A new folder. Raises UserError where it exists already: no run is ever overwritten."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            (path / "checkpoints").mkdir()
        except FileExistsError:
            raise UserError(refusal([path], 1)) from None
        except OSError as error:
            raise cannot_write(path, error) from error
        return cls(path)
