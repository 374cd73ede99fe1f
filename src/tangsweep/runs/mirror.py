"""What a mirror of a run's files, such as W&B, takes. The files are complete without it."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.runs.record import Record, WandbRun

log = logging.getLogger(__name__)
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
    def identity(self) -> WandbRun | None: ...  # where the run lies at W&B, for the record
    def replay(self, rows: Sequence[MetricsRow]) -> None: ...  # rows of earlier attempts
    def log(self, row: MetricsRow) -> None: ...  # a row of metrics.csv
    def log_table(self, table: TextTable, step: int | None = None) -> None: ...
    def summarize(self, record: Record) -> None: ...  # scores at the best epoch
    def finish(self, failed: bool) -> None: ...  # exactly once, however the run ended


class Mirrors:
    """Several mirrors as one. A mirror that fails is dropped, and the run goes on without it."""

    def __init__(self, mirrors: Sequence[Mirror]) -> None:
        self._mirrors = list(mirrors)
        self.identity = next((m.identity for m in self._mirrors if m.identity is not None), None)

    def replay(self, rows: Sequence[MetricsRow]) -> None:
        self._call_each(lambda mirror: mirror.replay(rows))

    def log(self, row: MetricsRow) -> None:
        self._call_each(lambda mirror: mirror.log(row))

    def log_table(self, table: TextTable, step: int | None = None) -> None:
        self._call_each(lambda mirror: mirror.log_table(table, step))

    def summarize(self, record: Record) -> None:
        self._call_each(lambda mirror: mirror.summarize(record))

    def finish(self, failed: bool) -> None:
        self._call_each(lambda mirror: mirror.finish(failed))

    def _call_each(self, action: Callable[[Mirror], None]) -> None:
        for mirror in list(self._mirrors):
            try:
                action(mirror)
            except Exception:
                log.exception("%s failed: the run goes on without it", type(mirror).__name__)
                self._mirrors.remove(mirror)
