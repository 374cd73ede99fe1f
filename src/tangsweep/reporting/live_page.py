"""The page of a sweep that still trains, which a process of its own writes again and again at low priority.

It ranks by development scores: test scores are shown when the sweep has ended. `LivePage` is the side of the
sweep, `main` that of the process. The process ends when its input does, so also when the sweep is killed.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tangsweep.console import print_line
from tangsweep.errors import first_line
from tangsweep.files import atomic_write

if TYPE_CHECKING:  # pandas, SciPy and Altair: only in the process that writes
    from tangsweep.reporting.blocks import Report
    from tangsweep.reporting.data.collect import SweepData

INTERVAL = 30.0  # seconds between two pages at least, and before the first one
RESTS = 49  # times as long as the processor worked on a page, so that it works for 2 % of the time
REFRESH = b'http-equiv="refresh"'  # near the beginning of pages of unfinished sweeps, and of no others
FAILED = "failed: "  # begins the line that the process prints where a page could not be written
PATIENCE = 10.0  # seconds that a process may take to end, which needs milliseconds


def without_test_scores(data: "SweepData") -> "SweepData":
    """Return the data as if no run had been scored on its test set."""
    columns = [column for column in data.runs.columns if column.startswith("test_")]
    records = {}
    for run, record in data.records.items():
        of_test = record.breakdown is not None and record.breakdown.set == "test"
        breakdown = None if of_test else record.breakdown
        records[run] = record.model_copy(update={"test": None, "breakdown": breakdown})
    return data._replace(runs=data.runs.assign(**dict.fromkeys(columns, float("nan"))), records=records)


def build_unfinished_report(data: "SweepData", title: str) -> "Report":
    """Build the report on runs that still train, whose first warning says so."""
    from tangsweep.reporting.build import build_report

    total = max(len(data.runs), *(command.runs for command in data.commands), 0)
    state = (
        f"This sweep still trains: {len(data.records)} of {total} runs have ended. Until all have, "
        "development scores rank, which also chose each run's best epoch; test scores come at the end."
    )
    commands = [command._replace(runs=0) for command in data.commands]  # what has not begun is not missing
    report = build_report(without_test_scores(data)._replace(commands=commands), title)
    others = [warning for warning in report.warnings if "not every run has a test score" not in warning]
    return report._replace(title=f"{title} (training)", warnings=[state, *others])


def unfinished_page(sweep: Path) -> str:
    """Return the page of a sweep that still trains; a browser loads it again by itself."""
    from tangsweep.reporting.build import read_sweeps
    from tangsweep.reporting.render.html_page import render_html

    report = build_unfinished_report(read_sweeps([sweep]), sweep.name)
    return render_html(report, refresh_seconds=round(INTERVAL))


def is_unfinished_page(page: Path) -> bool:
    """Return whether `unfinished_page` made a page. Raises OSError where it cannot be read."""
    with page.open("rb") as file:
        return REFRESH in file.read(1000)


def write_at_intervals(
    write: Callable[[], None],
    rest: Callable[[float], None] = time.sleep,
    processor_seconds: Callable[[], float] = time.process_time,
) -> None:
    """Call `write` for ever, at most every INTERVAL seconds and for 2 % of the processor's time.

    `rest` waits for some seconds; an exception of it ends the loop. `processor_seconds` says how long this
    process has used the processor, which for the first page includes the imports.
    """
    seconds_before = 0.0
    while True:
        write()
        seconds = processor_seconds()
        rest(max(INTERVAL, RESTS * (seconds - seconds_before)))
        seconds_before = seconds


def main() -> None:
    """Write the page of the sweep in the folder of the first argument until the input ends.

    After each page one line says how that went.
    """
    sweep, writing = Path(sys.argv[1]), threading.Lock()
    os.nice(19)
    threading.Thread(target=_exit_at_end_of_input, args=(writing,), daemon=True).start()

    def write_page() -> None:
        try:
            if not any(sweep.glob("*/config.yaml")):
                answer = "no run has begun"
            else:
                page = unfinished_page(sweep)
                with writing:
                    atomic_write(sweep / "report.html", page)
                answer = "written"
        except Exception as error:  # whatever it is, the sweep goes on, and the next page may succeed
            answer = f"{FAILED}{type(error).__name__}: {first_line(error)}"
        print(answer, flush=True)

    write_at_intervals(write_page)


def _exit_at_end_of_input(writing: threading.Lock) -> None:
    """Exit at once when the input ends, but not while a file is half written."""
    sys.stdin.buffer.read()
    with writing:
        os._exit(0)


class LivePage:
    """Keeps a sweep's report.html up to date inside the `with` block, unless that ends within INTERVAL.

    Whatever goes wrong, the sweep goes on, and `print_problem` gets one line.
    """

    def __init__(
        self, sweep: Path, delay: float = INTERVAL, print_problem: Callable[[str], None] = print_line
    ) -> None:
        self._sweep, self._delay, self._print_problem = sweep, delay, print_problem
        self._has_problem = False
        self._ended = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "LivePage":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Return when the process has ended, so that it cannot write over the report of the whole sweep."""
        self._ended.set()
        self._let_process_end()
        self._thread.join(PATIENCE)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        if self._ended.wait(self._delay):
            return
        try:
            with self._start_process() as self._process:
                if self._ended.is_set():
                    self._let_process_end()
                for line in self._process.stdout or ():
                    if line.startswith(FAILED):
                        self._say_once(line.removeprefix(FAILED).strip())
            if self._process.returncode and not self._ended.is_set():
                self._say_once(f"its process ended with status {self._process.returncode}")
        except Exception as error:
            self._say_once(first_line(error))

    def _start_process(self) -> "subprocess.Popen[str]":
        """Start a process without a terminal: Ctrl-C does not reach it."""
        package = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        one_core = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "tangsweep.reporting.live_page", str(self._sweep)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **one_core, "PYTHONPATH": paths},
            encoding="utf-8",
            start_new_session=True,
        )

    def _let_process_end(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _say_once(self, problem: str) -> None:
        if not self._has_problem:
            self._print_problem(f"the report is not kept up to date while the sweep trains ({problem})")
        self._has_problem = True


if __name__ == "__main__":
    main()
