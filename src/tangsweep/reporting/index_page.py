"""The page over all sweeps, outputs/index.html: question, answer, time and runs of each, and its report.

What a row says is kept in the sweep's report.json, so that only sweeps that changed are read again.
"""

import contextlib
import os
import time
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import NamedTuple
from urllib.parse import quote

from tangsweep.console import print_line
from tangsweep.errors import UserError, first_line
from tangsweep.files import atomic_write, display_path
from tangsweep.printable import printable_line
from tangsweep.reporting.live_page import is_unfinished_page, without_test_scores
from tangsweep.reporting.sweep_summary import (
    SweepSummary,
    has_runs,
    is_training,
    read_summary,
    summarize,
    write_summary,
)
from tangsweep.runs.folder import RunFolder

TIME_FORMAT = "%Y-%m-%d %H:%M"
LISTED_FAILURES = 3
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>All sweeps</title><style>$style
.sweeps { width: 100%; } .sweeps th, .sweeps td { text-align: left; vertical-align: top; white-space: normal;
  overflow-wrap: anywhere; }
.sweeps td:first-child { min-width: 10rem; } .sweeps .when { white-space: nowrap; }
.sweeps .problem { font-weight: 600; }
@media (max-width: 50rem) { .sweeps thead { display: none; } .sweeps tr, .sweeps td { display: block; }
  .sweeps tr { border-bottom: 1px solid var(--line); padding: .6rem 0; }
  .sweeps td { border: 0; padding: .1rem 0; } .sweeps td:first-child { font-weight: 600; }
  .sweeps td[data-heading]::before { content: attr(data-heading) ": "; color: var(--soft); } }
</style></head>
<body><main><h1>All sweeps</h1><p class="question">$count, the newest first.</p>
<table class="sweeps"><thead><tr><th>sweep</th><th>question</th><th>answer</th><th>ended</th><th>runs</th>
<th>text</th></tr></thead><tbody>
$rows
</tbody></table></main></body></html>
"""


class IndexRow(NamedTuple):
    """A row of the index: what is known of a sweep, or why nothing is."""

    sweep: Path
    summary: SweepSummary | None
    problem: str = ""
    trains: bool = False


def sweep_folders(outputs: Path) -> list[Path]:
    """Return the subfolders that are sweeps, damaged ones too."""
    try:
        return sorted(path for path in outputs.iterdir() if path.is_dir() and _is_sweep(path))
    except OSError:
        return []


def _is_sweep(folder: Path) -> bool:
    """Return whether a folder holds runs, or was begun as a sweep, or cannot be looked into."""
    try:
        return (folder / "commands.jsonl").exists() or any(
            path.exists()
            for run in map(RunFolder, folder.iterdir())
            for path in (run.config, run.result, run.metrics, run.log)
        )
    except OSError:
        return True


def holds_sweeps(folder: Path) -> bool:
    """Return whether a folder is none of a sweep, but has subfolders of sweeps."""
    return folder.is_dir() and not _is_sweep(folder) and bool(sweep_folders(folder))


def page_is_current(sweep: Path) -> bool:
    """Return whether report.html is that of an ended sweep, and no run ended after it was written."""
    page = sweep / "report.html"
    try:
        newest = max((path.stat().st_mtime_ns for path in sweep.glob("*/result.json")), default=0)
        return page.stat().st_mtime_ns >= newest and not is_unfinished_page(page)
    except OSError:
        return False


def write_index(outputs: Path) -> Path:
    """Write index.html over all sweeps in a folder, and the reports that are missing or out of date.

    Returns its path. Raises UserError where there is no sweep or the folder cannot be written.
    """
    folders = sweep_folders(outputs)
    if not folders:
        raise UserError(
            f"{display_path(outputs)} holds no sweep: make one first, such as "
            "python src/train.py sweeps=optimizers"
        )
    rows = sorted((_index_row(sweep) for sweep in folders), key=_order)
    path = outputs / "index.html"
    atomic_write(path, render_index(rows).encode("utf-8", "replace"))  # a folder's name may be no Unicode
    return path


def _order(row: IndexRow) -> tuple[bool, float, str]:
    """The newest first; what trains now before all, and what cannot be read after all."""
    return (not row.trains, -row.summary.ended if row.summary else 0.0, row.sweep.name)


def _index_row(sweep: Path) -> IndexRow:
    try:
        trains = is_training(sweep)
        summary = None if trains else read_summary(sweep)
        if summary is None or not page_is_current(sweep):
            summary = _read_again(sweep, trains)
        return IndexRow(sweep, summary, trains=trains)
    except UserError as error:
        return IndexRow(sweep, None, str(error))
    except Exception as error:  # of files that are no run's: the other sweeps are listed all the same
        return IndexRow(sweep, None, f"it cannot be read ({type(error).__name__}: {first_line(error)})")


def _read_again(sweep: Path, trains: bool) -> SweepSummary:
    """Summarize a sweep from its runs; of one that trains, by development scores and without its page."""
    from tangsweep.reporting.build import build_report, read_sweeps, write_report

    if not has_runs(sweep):
        raise UserError("it holds no run")
    print_line(f"reading {display_path(sweep)}")
    data = read_sweeps([sweep])
    if trains:
        data = without_test_scores(data)
    report = build_report(data, sweep.name)
    if not trains and not page_is_current(sweep):
        with contextlib.suppress(UserError):  # a folder that cannot be written is listed without a report
            write_report(report, sweep)
    summary = summarize(sweep, data, report)
    if not trains:
        write_summary(sweep, summary)
    return summary


def render_index(rows: Sequence[IndexRow]) -> str:
    """Return the page. It has no script, loads nothing, and all texts are escaped."""
    style = (files("tangsweep.reporting.render") / "page.css").read_text(encoding="utf-8")
    count = "One sweep" if len(rows) == 1 else f"{len(rows)} sweeps"
    return Template(PAGE).substitute(style=style, count=count, rows="\n".join(map(_render_row, rows)))


def _render_row(row: IndexRow) -> str:
    name = escape(printable_line(row.sweep.name))
    if (row.sweep / "report.html").exists():
        name = f'<a href="{quote(os.fsencode(row.sweep.name))}/report.html">{name}</a>'
    if row.summary is None:
        problem = escape(printable_line(row.problem))
        return f'<tr><td>{name}</td><td class="problem" colspan="5">{problem}</td></tr>'
    summary = row.summary
    when = time.strftime(TIME_FORMAT, time.localtime(summary.ended)) if summary.ended else "–"
    cells = [
        f"<td>{name}</td><td>{_plain(summary.question)}</td><td>{_plain(summary.answer)}</td>",
        f'<td class="when" data-heading="ended">{"trains now" if row.trains else when}</td>',
        f'<td data-heading="runs">{escape(_describe_runs(summary))}</td>',
        f'<td data-heading="text">{escape(summary.text) or "–"}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _plain(text: str) -> str:
    """Escape a text, without the backticks that mark code."""
    return escape(text.replace("`", ""))


def _describe_runs(summary: SweepSummary) -> str:
    """Format as `5 of 6 done, 1 failed: optimizer-sgd-…`."""
    done, total = summary.statuses.get("done", 0), sum(summary.statuses.values())
    parts = [f"{done} of {total} done"]
    parts += [f"{n} {s}" for s, n in sorted(summary.statuses.items()) if s not in ("done", "failed")]
    if summary.failed:
        names, more = summary.failed[:LISTED_FAILURES], len(summary.failed) - LISTED_FAILURES
        parts.append(
            f"{len(summary.failed)} failed: {', '.join(names)}" + (f" and {more} more" if more > 0 else "")
        )
    if summary.unreadable:
        parts.append(f"{summary.unreadable} file{'s' * (summary.unreadable > 1)} cannot be read")
    return ", ".join(parts)
