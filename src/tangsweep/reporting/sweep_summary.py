"""What the index over all sweeps says about one, kept in the sweep's report.json until its runs change."""

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tangsweep.errors import UserError
from tangsweep.files import atomic_write, read_regular_file
from tangsweep.printable import printable_line
from tangsweep.runs import lock
from tangsweep.runs.checksums import checksum_of_values
from tangsweep.runs.folder import RunFolder

if TYPE_CHECKING:  # pandas, SciPy and Altair: only where a sweep is read
    from tangsweep.reporting.blocks import Report
    from tangsweep.reporting.data.collect import SweepData
    from tangsweep.runs.record import CorpusFacts, Record

LATEST = 253_402_300_799.0  # the end of the year 9999
SUMMARY_FORMAT = 1  # increase it whenever the same runs would give another summary
PrintableText = Annotated[str, AfterValidator(printable_line)]  # the index shows it


class SweepSummary(BaseModel):
    """What the index says about a sweep."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    runs_hash: str  # of the runs that were summarized
    question: PrintableText
    answer: PrintableText
    ended: float = Field(ge=0, le=LATEST)  # seconds since 1970: when its last run ended; 0 where none has
    statuses: dict[str, int]  # status → number of runs
    failed: list[PrintableText]  # names of runs
    text: PrintableText  # what was learned
    unreadable: int  # files


def summarize(sweep: Path, data: "SweepData", report: "Report") -> SweepSummary:
    """Return what the index says about the runs of a sweep, from their report."""
    statuses = Counter(str(status) for status in data.runs["status"])
    failed = data.runs.loc[data.runs["status"] == "failed", "folder"]
    corpora = [record.corpus for record in data.records.values() if record.corpus]
    ended = [_end_time(record, data.folders[run]) for run, record in data.records.items()]
    return SweepSummary(
        runs_hash=_runs_hash(sweep),
        question=report.question,
        answer=" ".join(report.headlines),
        ended=min(max([0.0, *ended]), LATEST),
        statuses=dict(statuses),
        failed=[str(name) for name in failed],
        text="; ".join(dict.fromkeys(map(_describe_text, corpora))),
        unreadable=len(data.unreadable),
    )


def _end_time(record: "Record", run: RunFolder) -> float:
    """Return when a run ended, in seconds since 1970; of an older record, when it was written."""
    try:
        return datetime.fromisoformat(record.finished or "").timestamp()
    except (ValueError, OverflowError):
        return run.result.stat().st_mtime


def _describe_text(corpus: "CorpusFacts") -> str:
    """Format as `tang, 100 poems`, `palindromes, length 10` or `grimms, 540,241 characters`."""
    name = corpus.name or "unknown"
    if corpus.length is not None:
        return f"{name}, length {corpus.length:g}"
    if corpus.poems:
        return f"{name}, {sum(corpus.poems.get(side, 0) for side in ('train', 'dev', 'test')):,} poems"
    sides = corpus.characters.model_dump().values() if corpus.characters else ()
    characters = sum(count for count in sides if isinstance(count, int))
    return f"{name}, {characters:,} characters" if characters else name


def write_summary(sweep: Path, summary: SweepSummary) -> None:
    """Write report.json for the next index; a folder that cannot be written does without."""
    values = summary.model_dump(mode="json")
    with contextlib.suppress(UserError):
        text = json.dumps({**values, "checksum": checksum_of_values(values)}, indent=2)
        atomic_write(sweep / "report.json", text + "\n")


def read_summary(sweep: Path) -> SweepSummary | None:
    """Return what report.json says.

    None where there is none, it was changed, or runs ended, came or went since then.
    """
    try:
        values = json.loads(read_regular_file(sweep / "report.json"))
        if values.pop("checksum") != checksum_of_values(values):
            return None
        summary = SweepSummary.model_validate(values)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    return summary if summary.runs_hash == _runs_hash(sweep) else None


def _run_folders(sweep: Path) -> Iterator[RunFolder]:
    for run in map(RunFolder, sorted(sweep.iterdir())):
        if not run.replaced and (run.config.exists() or run.result.exists()):
            yield run


def has_runs(sweep: Path) -> bool:
    return any(True for _ in _run_folders(sweep))


def is_training(sweep: Path) -> bool:
    """Return whether a process trains one of the sweep's runs."""
    return any(lock.is_held(run) for run in _run_folders(sweep) if not run.result.exists())


def _runs_hash(sweep: Path) -> str:
    """Return a hash of the names of the runs and of when their records were written."""
    digest = hashlib.sha256(f"{SUMMARY_FORMAT}".encode())
    for run in _run_folders(sweep):
        written = run.result.stat().st_mtime_ns if run.result.exists() else None
        digest.update(f"{run.path.name!r} {written}\n".encode())
    return digest.hexdigest()[:16]
