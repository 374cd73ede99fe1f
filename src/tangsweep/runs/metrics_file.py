"""metrics.csv: one row every few steps and after every evaluation, written while a run trains."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from tangsweep.files import atomic_write, cannot_write

COLUMNS = (
    "step",  # optimizer steps made
    "epoch",  # the epoch under way, from 1; 0 before training
    "train/loss",  # nats per character over the steps since the row before
    "train/epoch_loss",  # nats per character over the epoch that ends here, as it was trained
    "train/grad_norm",  # 2-norm of all gradients of that step, before clipping
    "lr",
    "characters_per_second",  # trained on, without the time for evaluation
    "val/loss",  # nats per character of the development set
    "val/bits_per_character",
    "val/perplexity",
    "val/accuracy",
    "units/distinct",  # hidden units that are no copies of each other
    "seconds",  # since training began
)
MetricsRow = Mapping[str, float | int | None]


class MetricsFile:
    """The file metrics.csv; a row is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def rows(self) -> list[dict[str, float | int]]:
        """Return the rows so far, without empty values and without a last line that was cut off."""
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
        return [{key: _number(value) for key, value in row.items() if value} for row in rows]

    def drop_after(self, step: int) -> list[dict[str, float | int]]:
        """Drop every row after optimizer step `step` and return what is left."""
        rows = [row for row in self.rows() if row["step"] <= step]
        lines = io.StringIO(newline="")
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        atomic_write(self.path, lines.getvalue())
        return rows

    def append(self, row: MetricsRow) -> None:
        """Write one row. Raises UserError where the disk is full, ValueError for a key outside COLUMNS."""
        try:
            if self._file is None:
                self._file = self.path.open("a", encoding="utf-8", newline="")
                if self._file.tell() == 0:
                    csv.writer(self._file).writerow(COLUMNS)
            csv.DictWriter(self._file, COLUMNS).writerow(row)
            self._file.flush()
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _number(text: str) -> float | int:
    return int(text) if text.lstrip("-").isdigit() else float(text)
