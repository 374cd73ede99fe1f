"""The files that a run leaves to be read by others: metrics.csv while it runs, result.json at its end."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from tangsweep.files import atomic_write, cannot_write
from tangsweep.runs.folder import RunFolder

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


class TextTable(NamedTuple):
    """Texts that a run leaves, as W&B shows them; the files hold the same."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


LogTable = Callable[[TextTable, int | None], None]  # takes a table and its optimizer step: W&B, or nobody


class MetricsFile:
    """metrics.csv, one row a call; a row is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def rows(self) -> list[dict[str, Any]]:
        """What was written so far, numbers as numbers, without empty values or a broken last line."""
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8", newline="") as file:
            read = [row for row in csv.DictReader(file) if None not in row.values()]
        return [{key: _number(value) for key, value in row.items() if value} for row in read]

    def cut(self, step: int) -> list[dict[str, Any]]:
        """Drop every row after `step`; what is left, as `rows` gives it."""
        kept = [row for row in self.rows() if row["step"] <= step]
        lines = io.StringIO(newline="")
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(kept)
        atomic_write(self.path, lines.getvalue())
        return kept

    def append(self, row: Mapping[str, Any]) -> None:
        """Raises UserError where the disk is full; a key outside COLUMNS is a ValueError."""
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


def write_result(folder: RunFolder, result: Mapping[str, Any]) -> None:
    """result.json, whole or not at all; NaN and infinity become null."""
    text = json.dumps(_plain(result), indent=2, ensure_ascii=False, allow_nan=False)
    atomic_write(folder.result, text + "\n")


def read_result(folder: RunFolder) -> dict[str, Any] | None:
    """The record; None where there is none or it is no record."""
    try:
        result = json.loads(folder.result.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return result if isinstance(result, dict) and "status" in result else None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
