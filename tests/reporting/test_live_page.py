"""The page of a sweep that still trains: what it says, how often it is written, and how its process ends."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tangsweep.reporting.build import read_sweeps, report_on, write_report
from tangsweep.reporting.live_page import (
    INTERVAL,
    LivePage,
    build_unfinished_report,
    is_unfinished_page,
    unfinished_page,
    write_at_intervals,
)
from tangsweep.reporting.render.html_page import render_html
from tests.conftest import made
from tests.reporting.written_sweeps import CORPUS, record, write_optimizer_runs, write_run

DEADLOCK = 120  # seconds after which a test that waits for another process fails instead of hanging
TESTED = {**CORPUS, "test_fingerprint": "t0", "characters": {"train": 5000, "dev": 700, "test": 12_000}}
LINE_COMMANDS = '{"arguments": ["-m", "optimizer=sgd,adam,muon,lion"], "runs": 4}\n'


def write_training_sweep(sweep: Path) -> None:
    """Write two runs that ended, whose test scores rank against their development scores, and one that trains.

    The command named a fourth run, which has not begun.
    """
    for optimizer, dev, test_loss in (("sgd", 500.0, 5.25), ("adam", 400.0, 6.75)):
        test = {"loss": test_loss, "perplexity": 1234.5, "bits_per_character": 7.77, "accuracy": 0.123}
        breakdown = {"set": "test", "ways": {"place": {"first": {"nats": 987.6, "characters": 100}}}}
        overrides = [f"optimizer={optimizer}"]
        result = record(dev, overrides=overrides, corpus=TESTED, test=test, breakdown=breakdown)
        write_run(sweep, f"optimizer-{optimizer}", result, optimizer___target_=f"torch.optim.{optimizer}")
    write_run(sweep, "optimizer-muon", None, optimizer___target_="torch.optim.Muon")
    (sweep / "commands.jsonl").write_text(LINE_COMMANDS, encoding="utf-8")


class TestWhatItSays:
    def test_development_scores_rank_although_every_run_that_ended_has_a_test_score(
        self, sweep: Path
    ) -> None:
        write_training_sweep(sweep)
        [whole] = report_on([sweep])[1].rankings
        [live] = build_unfinished_report(read_sweeps([sweep]), "s").rankings
        assert (whole.comparable.set_name, whole.groups[0].name) == ("test", "sgd")
        assert (live.comparable.set_name, live.groups[0].name) == ("development", "adam")

    def test_it_is_the_page_of_runs_that_were_not_scored_on_a_test_set(self, sweep: Path) -> None:
        write_training_sweep(sweep)
        whole, live = render_html(report_on([sweep])[1]), unfinished_page(sweep)
        for path in sweep.glob("*/result.json"):
            values = json.loads(path.read_text(encoding="utf-8"))
            del values["test"], values["breakdown"]
            path.write_text(json.dumps(values), encoding="utf-8")
        assert unfinished_page(sweep) == live
        assert render_html(report_on([sweep])[1]) != whole

    def test_it_says_that_it_is_unfinished_and_loads_itself_again(self, sweep: Path) -> None:
        write_training_sweep(sweep)
        report = build_unfinished_report(read_sweeps([sweep]), "s")
        assert report.warnings[0].startswith("This sweep still trains: 2 of 4 runs have ended.")
        others = " ".join(report.warnings[1:])
        assert "not every run has a test score" not in others
        assert "are missing" not in others  # the fourth run has only not begun
        page = unfinished_page(sweep)
        assert "2 of 4 runs have ended" in page
        assert f'<meta http-equiv="refresh" content="{INTERVAL:.0f}">' in page

    def test_it_is_told_from_the_page_of_an_ended_sweep(self, sweep: Path) -> None:
        write_training_sweep(sweep)
        page = sweep / "report.html"
        page.write_text(unfinished_page(sweep), encoding="utf-8")
        assert is_unfinished_page(page)
        write_report(report_on([sweep])[1], sweep, pictures=False)
        assert not is_unfinished_page(page)

    def test_before_the_first_run_ends(self, sweep: Path) -> None:
        write_run(sweep, "optimizer-muon", None)
        assert "0 of 1 runs have ended" in unfinished_page(sweep)


class Ended(Exception):
    """The sweep ended."""


@pytest.mark.parametrize(
    ("clock", "rests"),
    [
        ([0.2, 0.4, 0.6], [INTERVAL, INTERVAL, INTERVAL]),
        ([4.0, 5.0, 5.5], [196.0, 49.0, INTERVAL]),  # the first page includes the imports
    ],
)
def test_at_most_every_half_minute_and_2_percent_of_the_processor(
    clock: list[float], rests: list[float]
) -> None:
    pages, rested, seconds = [], [], iter(clock)

    def rest(time: float) -> None:
        rested.append(time)
        if len(rested) == len(clock):
            raise Ended

    with pytest.raises(Ended):
        write_at_intervals(lambda: pages.append("page"), rest, lambda: next(seconds))
    assert rested == rests
    assert len(pages) == len(clock)
    assert clock[-1] / (clock[-1] + sum(rested)) <= 0.02


class TestTheProcess:
    def start(self, sweep: Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tangsweep.reporting.live_page", str(sweep)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def test_it_writes_the_page_alone_at_low_priority_and_ends_with_its_input(self, sweep: Path) -> None:
        write_training_sweep(sweep)
        before = {path.name for path in sweep.iterdir()}
        with self.start(sweep) as process:
            assert process.stdin is not None and process.stdout is not None
            assert process.stdout.readline() == "written\n"
            assert os.getpriority(os.PRIO_PROCESS, process.pid) == 19
            process.stdin.close()
            assert process.wait(DEADLOCK) == 0
        assert is_unfinished_page(sweep / "report.html")
        assert {path.name for path in sweep.iterdir()} - before == {"report.html"}

    def test_a_sweep_without_runs_is_no_failure(self, sweep: Path) -> None:
        with self.start(sweep) as process:
            assert process.stdin is not None and process.stdout is not None
            assert process.stdout.readline() == "no run has begun\n"
            process.stdin.close()
            assert process.wait(DEADLOCK) == 0

    def test_it_ends_with_a_sweep_that_is_killed(self, sweep: Path) -> None:
        write_unwritable_page(sweep)
        script = (
            "import sys\nfrom pathlib import Path\nfrom tangsweep.reporting.live_page import LivePage\n"
            "def tell(problem): print(live._process.pid, flush=True)\n"
            "live = LivePage(Path(sys.argv[1]), delay=0, print_problem=tell)\n"
            "with live: sys.stdin.read()\n"
        )
        command = [sys.executable, "-c", script, str(sweep)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            child = os.pidfd_open(int(parent.stdout.readline()))
            try:
                assert select.select([child], [], [], 0)[0] == []  # it lives
                parent.send_signal(signal.SIGKILL)
                assert select.select([child], [], [], DEADLOCK)[0] == [child]
            finally:
                os.close(child)


def write_unwritable_page(sweep: Path) -> None:
    """Write a sweep in which a folder has the name of the page."""
    write_optimizer_runs(sweep, {"sgd": [500.0]})
    made(sweep / "report.html" / "inside")


class TestLivePage:
    def test_a_short_sweep_never_starts_it(self, sweep: Path) -> None:
        write_optimizer_runs(sweep, {"sgd": [500.0]})
        with LivePage(sweep) as live:
            pass
        assert live._process is None
        assert not (sweep / "report.html").exists()

    def test_what_goes_wrong_is_one_line_and_the_process_is_gone_at_the_end(self, sweep: Path) -> None:
        write_unwritable_page(sweep)
        problems: list[str] = []
        happened = threading.Event()

        def keep(problem: str) -> None:
            problems.append(problem)
            happened.set()

        with LivePage(sweep, delay=0, print_problem=keep) as live:
            assert happened.wait(DEADLOCK)
        assert live._process is not None and live._process.returncode == 0
        [problem] = problems
        assert problem.startswith(
            "the report is not kept up to date while the sweep trains (UserError: cannot"
        )
        assert "\n" not in problem

    def test_a_process_that_dies_is_one_line(self, sweep: Path) -> None:
        write_unwritable_page(sweep)
        problems: list[str] = []
        happened = threading.Event()

        class Dying(LivePage):
            def _start_process(self) -> "subprocess.Popen[str]":
                process = super()._start_process()
                process.kill()
                return process

        def keep(problem: str) -> None:
            problems.append(problem)
            happened.set()

        with Dying(sweep, delay=0, print_problem=keep):
            assert happened.wait(DEADLOCK)
        assert problems == [
            "the report is not kept up to date while the sweep trains (its process ended with status -9)"
        ]

    def test_a_process_that_cannot_be_started_is_one_line(
        self, sweep: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.executable", "/nowhere/python")
        problems: list[str] = []
        happened = threading.Event()

        def keep(problem: str) -> None:
            problems.append(problem)
            happened.set()

        with LivePage(sweep, delay=0, print_problem=keep):
            assert happened.wait(DEADLOCK)
        assert len(problems) == 1
        assert "/nowhere/python" in problems[0]
