"""The files in a run's folder, and how a run that is trained anew is set aside."""

import time
from pathlib import Path

from tangsweep.fault_points import fault_point
from tangsweep.files import cannot_write, remove_interrupted_writes

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
        self.paused = path / "paused"  # exists where the run has paused itself; holds its number of epochs
        self.extended = path / "extended-from.txt"  # names the shorter run that this run continues
        self.lock = path / ".lock"
        self.holder = path / ".lock.json"  # who holds the lock, for messages only
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"
        self.last = self.checkpoints / "last.ckpt"

    def prepare(self) -> None:
        """Create the folder and its subfolder, without the temporary files of attempts that were killed.

        The caller holds the run's lock. Raises UserError where the folder cannot be written.
        """
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            for path in vars(self).values():
                remove_interrupted_writes(path)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def set_aside(self) -> Path:
        """Rename this folder, so that a kill leaves it whole, and return the new folder beside the old path.

        The caller holds the run's lock, which goes along: whoever trains the run anew takes another one.
        """
        beside = self.path.with_name(
            f"{self.path.name}{REPLACED}{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns()}"
        )
        fault_point("setting aside")
        self.path.rename(beside)
        fault_point("set aside")
        for name in (self.lock.name, self.holder.name):
            (beside / name).unlink(missing_ok=True)
        return beside

    @property
    def replaced(self) -> bool:
        """Whether `set_aside` made this folder, for a run that was trained anew."""
        return REPLACED in self.path.name


def set_file_aside(path: Path) -> Path:
    """Rename a damaged file of a run to a new name that ends in .broken, and return that."""
    number, aside = 1, path.with_suffix(".broken")
    while aside.exists():
        number += 1
        aside = path.with_suffix(f".{number}.broken")
    path.rename(aside)
    return aside
