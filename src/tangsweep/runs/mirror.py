"""What a mirror of a run's files, such as W&B, takes. The files are complete without it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.runs.record import Record, WandbRun

Cell = str | float | int


class TextTable(NamedTuple):
    """Texts that a run writes, as a table; the files hold the same."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


LogTable = Callable[[TextTable, int | None], None]  # takes a table and its optimizer step


class Mirror(Protocol):
    """One run elsewhere that receives what the files of a run receive."""

    @property
    def identity(self) -> WandbRun: ...  # where the run lies there, for the record
    def replay(self, rows: Sequence[MetricsRow]) -> None: ...  # rows of earlier attempts
    def log(self, row: MetricsRow) -> None: ...  # a row of metrics.csv
    def log_table(self, table: TextTable, step: int | None = None) -> None: ...
    def summarize(self, record: Record) -> None: ...  # scores at the best epoch
    def finish(self, failed: bool) -> None: ...  # exactly once, however the run ended


def discard_table(table: TextTable, step: int | None) -> None:
    """A `LogTable` for runs without a mirror."""
