"""The files in a run's folder, and how a run that is trained anew is set aside."""

import time
from pathlib import Path

from tangsweep.files import cannot_write

REPLACED = ".replaced-"  # in the name of the folder of a run that was trained anew


class RunFolder:
    """`outputs/<sweep>/<run>/` and the paths of its files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.csv"
        self.result = path / "result.json"
        self.document_scores = path / "scores.npz"
        self.log = path / "train.log"
        self.poems = path / "poems.txt"
        self.samples = path / "samples.txt"
        self.interrupted = path / "interrupted"  # exists where the run was stopped and has not continued yet
        self.extended = path / "extended-from.txt"  # names the shorter run that this run continues
        self.lock = path / ".lock"
        self.holder = path / ".lock.json"  # who holds the lock, for messages only
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"
        self.last = self.checkpoints / "last.ckpt"

    def prepare(self) -> None:
        """Create the folder and its subfolder. Raises UserError where they cannot be written."""
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def set_aside(self) -> Path:
        """Move everything but the lock into a new folder beside this one, and return that new folder."""
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
