"""metrics.csv: one row every few steps and after every evaluation, written while a run trains."""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from tangsweep.files import atomic_write, cannot_write, read_regular_file
from tangsweep.runs.folder import set_file_aside

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
MAX_COUNT = 10**12  # steps or epochs
NUMBER = re.compile(r"-?(\d{1,30}(\.\d{1,30})?(e[-+]?\d{1,4})?|inf)|nan", re.ASCII)  # as Python writes it
INTEGER = re.compile(r"-?\d{1,15}", re.ASCII)
MetricsRow = Mapping[str, float | int | None]
FilledRow = dict[str, float | int]  # a row without its empty values


class MetricsFile:
    """The file metrics.csv; a row is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None
        self._pieces: list[str] | None = None  # of the text; None: the file has not been read yet

    @property
    def text(self) -> str:
        """What the file must hold: what it held before the first `append`, and every row since.

        Checkpoints carry it, so that damage to the file can be undone.
        """
        self._pieces = ["".join(self._read_pieces())]
        return self._pieces[0]

    def rows(self) -> list[FilledRow]:
        """Return the rows that the file holds now, without lines that are no row, such as one cut off."""
        return parse_metrics(self._read()).rows

    def append(self, row: MetricsRow) -> None:
        """Write one row. Raises UserError where the disk is full, ValueError for a key outside COLUMNS."""
        pieces = self._read_pieces()
        line = format_metrics([row], header=not any(pieces))
        try:
            if self._file is None:
                self._file = self.path.open("a", encoding="utf-8", newline="")
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise cannot_write(self.path, error) from error
        pieces.append(line)

    def restore(self, text: str) -> bool:
        """Make `text` the file's content, and return whether the file did not begin with it.

        Rows after `text` are dropped; any other content is moved to metrics.broken beforehand.
        """
        content, expected = self._read_bytes(), text.encode()
        is_damaged = not content.startswith(expected)
        if is_damaged and self.path.exists():
            set_file_aside(self.path)
        if content != expected:
            atomic_write(self.path, text)
        self._pieces = [text]
        return is_damaged

    def close(self) -> None:
        """Flush to disk and close. Raises UserError where the disk is full."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            with file:
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _read_pieces(self) -> list[str]:
        if self._pieces is None:
            self._pieces = [self._read()]
        return self._pieces

    def _read(self) -> str:
        return self._read_bytes().decode("utf-8", "replace")

    def _read_bytes(self) -> bytes:
        return read_regular_file(self.path) if self.path.exists() else b""


class ParsedMetrics(NamedTuple):
    """The rows of a text, and how many of its lines are none."""

    rows: list[FilledRow]
    unreadable: int


def parse_metrics(text: str) -> ParsedMetrics:
    """Parse the text of a metrics.csv; a last line without its end was being written and is left out."""
    header, *lines = [line.removesuffix("\r") for line in text.split("\n")[:-1]] or [""]
    columns = header.split(",")
    if not set(columns) <= set(COLUMNS):
        return ParsedMetrics([], len(lines))
    rows = [row for line in lines if (row := _parse_row(columns, line)) is not None]
    return ParsedMetrics(rows, len(lines) - len(rows))


def format_metrics(rows: Iterable[MetricsRow], header: bool = True) -> str:
    """Format rows as lines of a metrics.csv. Raises ValueError for a key outside COLUMNS."""
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, COLUMNS)
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return lines.getvalue()


def evaluated_losses(rows: Iterable[FilledRow]) -> dict[int, float]:
    """Return the development loss of each epoch that was evaluated, in nats per character."""
    return {int(row["epoch"]): row["val/loss"] for row in rows if "val/loss" in row}


def _parse_row(columns: Sequence[str], line: str) -> FilledRow | None:
    """Return the values that are not empty; None where the line is no row."""
    values = line.split(",")
    if len(values) != len(columns):
        return None
    row = {}
    for column, value in zip(columns, values, strict=True):
        if value and not NUMBER.fullmatch(value):
            return None
        if value:
            row[column] = int(value) if INTEGER.fullmatch(value) else float(value)
    counts = [row.get(column) for column in ("step", "epoch")]
    return row if all(isinstance(count, int) and 0 <= count <= MAX_COUNT for count in counts) else None
