"""The progress display of a sweep, on a terminal and without one."""

import io

import pytest
from hydra.core.utils import JobReturn, JobStatus
from rich.console import Console

from tangsweep import console, progress_bar
from tangsweep.runs.record import Outcome, PrimaryMetric, Record, Scores
from tangsweep.sweep import display
from tangsweep.sweep.display import SweepDisplay


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    screen = io.StringIO()
    drawn = Console(file=screen, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(console, "console", drawn)
    return screen


def result(name: str, value: float | None, metric: str = "perplexity") -> JobReturn:
    record = Record(
        status="done", run_id=name, primary=PrimaryMetric(metric=metric), dev=Scores(**{metric: value})
    )
    return JobReturn(status=JobStatus.COMPLETED, _return_value=Outcome(name, "done", record))


def shown(screen: io.StringIO, view: SweepDisplay) -> str:
    view._progress.refresh()
    return screen.getvalue().rsplit("sweep ", 1)[-1]


def test_done_running_left_best_and_time(terminal: io.StringIO) -> None:
    with SweepDisplay(["a=1", "a=2", "a=3", "a=4"]) as view:
        for job in (0, 1):
            view.on_job_start(job)
        assert "0 done, 2 running, 2 left" in shown(terminal, view)
        view.on_progress(0, "a-1-00000000", 0, 10, "")
        view.on_progress(0, "a-1-00000000", 5, 10, "epoch 3  dev ppl 7.0")
        picture = shown(terminal, view)
        assert "a-1-00000000" in picture
        assert "epoch 3  dev ppl 7.0" in picture
        assert "12%" in picture  # half of one of four
        assert "0:00 left" in picture
        view.on_job_end(0, result("a-1", 9.0))
        view.on_job_end(1, result("a-2", 8.0))
        assert "2 done, 0 running, 2 left  best dev ppl 8 a-2" in shown(terminal, view)
        view.on_job_start(2)
        view.on_job_end(2, result("a-3", None))
        view.on_job_start(3)
        view.on_job_end(3, JobReturn(status=JobStatus.FAILED, _return_value=ValueError("x")))
        assert "4 done, 0 running, 0 left  best dev ppl 8 a-2" in shown(terminal, view)


def test_what_was_done_before_does_not_make_it_look_fast(
    terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    with SweepDisplay(["a"]) as view:
        view.on_job_start(0)
        view.on_progress(0, "a-1", 90, 100, "")  # goes on from there
        now[0] = 60.0
        view.on_progress(0, "a-1", 95, 100, "")
        assert "1:00 left" in shown(terminal, view)


def test_names_are_no_markup(terminal: io.StringIO) -> None:
    with SweepDisplay(["x=[/a]"]) as view:
        view.on_job_start(0)
        assert "x=[/a]" in shown(terminal, view)


def test_more_is_better_of_an_accuracy(terminal: io.StringIO) -> None:
    with SweepDisplay(["a", "b"]) as view:
        for job, value in enumerate((0.3, 0.5)):
            view.on_job_start(job)
            view.on_job_end(job, result(str(job), value, "accuracy"))
        assert "best dev accuracy 0.5000 1" in shown(terminal, view)


def test_a_death_is_reported_and_its_progress_taken_back(terminal: io.StringIO) -> None:
    with SweepDisplay(["a", "b"]) as view:
        view.on_job_start(0)
        view.on_progress(0, "a-1", 10, 10, "")
        view.on_worker_death(0, "its worker was ended by SIGKILL", will_retry=True)
        assert "a-1: its worker was ended by SIGKILL; it goes on in another" in terminal.getvalue()
        assert "0%" in shown(terminal, view)


def test_without_a_terminal_only_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with SweepDisplay(["a"]) as view:
        view.on_job_start(0)
        view.on_progress(0, "a-1", 1, 10, "epoch 1")
        view.on_line("a-1  done", None)
        view.on_job_end(0, result("a-1", 2.0))
    assert capsys.readouterr().out == "a-1  done\n"


def test_a_relayed_bar_sends_to_the_parent_process(monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[console.ConsoleMessage] = []
    monkeypatch.setattr(console, "_send_to_parent", messages.append)
    steps = progress_bar.progress_bar_for("a-1")
    steps.start(40)
    for done in range(40):
        steps.step(done)  # within a quarter of a second: not sent one by one
    steps.show_status("epoch 1")
    steps.close()
    console.print_line("a line", "bold")
    assert messages[0] == console.ProgressMessage("a-1", 0, 40, "")
    assert len(messages) < 10
    assert messages[-1] == console.LineMessage("a line", "bold")
