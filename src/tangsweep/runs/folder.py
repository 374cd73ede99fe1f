"""A run's folder: the names of the files in it, and how a run that is trained anew is set aside."""

import time
from pathlib import Path

from tangsweep.files import cannot_write

REPLACED = ".replaced-"  # in the name of a folder whose run was trained anew


class RunFolder:
    """`outputs/<sweep>/<run>/` and the paths of its files."""

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
        """Make the folder and its subfolders. Raises UserError where they cannot be written."""
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def set_aside(self) -> Path:
        """Move everything but the lock into a new folder beside this one, and return that folder."""
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
        """Whether `set_aside` made this folder, for a run that was trained anew."""
        return REPLACED in self.path.name
