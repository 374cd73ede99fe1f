"""A run's folder: its layout, and the one way in which files that matter are written."""

import time
from pathlib import Path

from tangsweep.files import cannot_write

REPLACED = ".replaced-"  # in the name of a folder whose run was trained anew


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
