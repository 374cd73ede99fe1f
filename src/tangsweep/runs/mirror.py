"""What a mirror of a run's files, such as W&B, takes. The files are complete without it."""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from tangsweep.errors import describe_error
from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.runs.record import LostMirror, Record, WandbRun

log = logging.getLogger(__name__)
SECONDS_BETWEEN_ROWS = 1.0  # for which rows wait, so that they are passed on together
Cell = str | float | int


class TextTable(NamedTuple):
    """Texts that a run writes, as a table; the files hold the same."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


LogTable = Callable[[TextTable, int | None], None]  # takes a table and its optimizer step


class Mirror(Protocol):
    """One run elsewhere that receives what the files of a run receive. Any method may raise anything."""

    @property
    def identity(self) -> WandbRun | None: ...  # where the run lies at W&B, for the record
    def replay(self, rows: Sequence[MetricsRow]) -> None: ...  # rows of earlier attempts
    def log(self, row: MetricsRow) -> None: ...  # a row of metrics.csv
    def log_table(self, table: TextTable, step: int | None = None) -> None: ...
    def summarize(self, record: Record) -> None: ...  # scores at the best epoch
    def finish(self, failed: bool) -> None: ...  # once, however the run ended, unless the mirror failed
    def abandon(self) -> None: ...  # after it failed: write nothing any more, whatever still waits


StartMirror = Callable[[bool], Mirror]  # True: in the place of one that failed, with nothing but files


class Mirrors:
    """Several mirrors as one, each by its name.

    A mirror that fails costs one warning, is called no more, and is noted in `lost`. When the run ends,
    another takes its place and gets the whole history: the rows that `read_rows` returns, and the tables.
    Rows wait until some are due together: between steps a single call of W&B's takes six times as long.
    """

    def __init__(
        self, starts: Mapping[str, StartMirror], read_rows: Callable[[], Sequence[MetricsRow]]
    ) -> None:
        self._starts, self._read_rows = starts, read_rows
        self._mirrors: dict[str, Mirror] = {}
        self._waiting: list[MetricsRow] = []
        self._passed_on = time.monotonic()
        self._tables: list[tuple[TextTable, int | None]] = []
        self._record: Record | None = None
        self._step = 0
        self.identity: WandbRun | None = None
        self.lost: dict[str, LostMirror] = {}
        for name, start in starts.items():
            try:
                self._mirrors[name] = start(False)
                self.identity = self.identity or self._mirrors[name].identity
            except Exception as error:
                self._lose(name, error)

    def replay(self, rows: Sequence[MetricsRow]) -> None:
        self._call_each(lambda mirror: mirror.replay(rows))

    def log(self, row: MetricsRow) -> None:
        self._waiting.append(row)
        if time.monotonic() - self._passed_on >= SECONDS_BETWEEN_ROWS:
            self._pass_on_rows()

    def _pass_on_rows(self) -> None:
        rows, self._waiting = self._waiting, []
        for row in rows:
            self._step = int(row["step"] or 0)
            self._call_each(lambda mirror, row=row: mirror.log(row))  # type: ignore[misc]
        self._passed_on = time.monotonic()

    def log_table(self, table: TextTable, step: int | None = None) -> None:
        self._tables.append((table, step))
        self._pass_on_rows()
        self._call_each(lambda mirror: mirror.log_table(table, step))

    def summarize(self, record: Record) -> None:
        self._record = record
        self._pass_on_rows()
        self._call_each(lambda mirror: mirror.summarize(record))

    def finish(self, failed: bool) -> None:
        """Finish every mirror, and give the history of the run to new ones where mirrors were lost."""
        self._pass_on_rows()
        self._call_each(lambda mirror: mirror.finish(failed))
        for name, lost in self.lost.items():
            try:
                mirror = self._starts[name](True)
                self.identity = self.identity or mirror.identity
                self._replay_history(mirror)
                mirror.finish(failed)
                lost.replayed = True
            except Exception as error:
                log.warning("%s: its history could not be written anew (%s)", name, describe_error(error))

    def _call_each(self, action: Callable[[Mirror], None]) -> None:
        for name, mirror in list(self._mirrors.items()):
            try:
                action(mirror)
            except Exception as error:
                del self._mirrors[name]
                self._lose(name, error)
                with contextlib.suppress(Exception):
                    mirror.abandon()

    def _lose(self, name: str, error: Exception) -> None:
        reason = describe_error(error)
        self.lost[name] = LostMirror(step=self._step, error=reason, replayed=False)
        log.warning("%s: lost at step %s (%s); the run goes on without it", name, self._step, reason)

    def _replay_history(self, mirror: Mirror) -> None:
        """Give a new mirror the rows and tables in the order of their steps, and the summary."""
        rows = deque(self._read_rows())
        for table, step in self._tables:
            while rows and (step is None or int(rows[0]["step"] or 0) <= step):
                mirror.log(rows.popleft())
            mirror.log_table(table, step)
        for row in rows:
            mirror.log(row)
        if self._record is not None:
            mirror.summarize(self._record)
