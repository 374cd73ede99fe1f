"""A run's folder: its layout, and the one way in which files that matter are written."""

import os
import tempfile
import time
from pathlib import Path

from tangsweep.errors import UserError
from tangsweep.runs import faults

REPLACED = ".replaced-"  # in the name of a folder whose run was trained anew


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
        faults.point(f"writing {path.name}")
        temporary.chmod(0o644)
        temporary.replace(path)
        faults.point(f"wrote {path.name}")
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
        self.interrupted = path / "interrupted"  # there while a run was stopped and not yet continued
        self.extended = path / "extended-from.txt"  # the shorter run that it went on from
        self.lock = path / ".lock"
        self.holder = path / ".lock.json"  # who holds the lock, for messages only
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"
        self.last = self.checkpoints / "last.ckpt"

    def prepare(self) -> None:
        """Make what is missing. Raises UserError where it cannot be written."""
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def set_aside(self) -> Path:
        """Move everything but the lock into a folder beside this one, which is returned."""
        beside = self.path.with_name(
            f"{self.path.name}{REPLACED}{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns()}"
        )
        beside.mkdir()
        for path in sorted(self.path.iterdir()):
            if path not in (self.lock, self.holder):
                path.rename(beside / path.name)
        return beside

    @property
    def replaced(self) -> bool:
        """Whether this is a folder that `set_aside` made: of a run that was trained anew."""
        return REPLACED in self.path.name
