"""The progress display of a sweep, on a terminal and without one."""

import io
import re

import pytest
from hydra.core.utils import JobReturn, JobStatus
from rich.cells import cell_len
from rich.console import Console

from tangsweep import console, progress_bar
from tangsweep.runs.record import Outcome, PrimaryMetric, Record, Scores
from tangsweep.sweep import display
from tangsweep.sweep.display import SearchDisplay, SweepDisplay
from tangsweep.sweep.phase import StreamProgress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    return opened(monkeypatch, 200)


def opened(monkeypatch: pytest.MonkeyPatch, width: int) -> io.StringIO:
    """A terminal of so many columns, and what is written to it."""
    screen = io.StringIO()
    drawn = Console(file=screen, force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr(console, "console", drawn)
    return screen


def result(
    name: str, value: float | None, metric: str = "perplexity", bits: float | None = None
) -> JobReturn:
    dev = Scores(**{metric: value, "bits_per_character": bits})
    record = Record(status="done", run_id=name, primary=PrimaryMetric(metric=metric), dev=dev)
    return JobReturn(status=JobStatus.COMPLETED, _return_value=Outcome(name, "done", record))


def shown(screen: io.StringIO, view: SweepDisplay) -> str:
    """What stands on the screen: every drawing begins with erasing the one before it."""
    view._progress.refresh()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", screen.getvalue().rsplit("\x1b[2K", 1)[-1])


def test_done_running_best_and_time(terminal: io.StringIO) -> None:
    with SweepDisplay(["a=1", "a=2", "a=3", "a=4"]) as view:
        for job in (0, 1):
            view.on_job_start(job)
        assert "0 of 4 done, 2 running" in shown(terminal, view)
        view.on_progress(0, "a-1-00000000", 0, 10, "")
        view.on_progress(0, "a-1-00000000", 5, 10, "epoch 3  dev ppl 7.0")
        picture = shown(terminal, view)
        assert "a-1-00000000" in picture
        assert "epoch 3  dev ppl 7.0" in picture
        assert "12%" in picture  # half of one of four
        assert "0:00 left" in picture
        view.on_job_end(0, result("a-1", 9.0))
        view.on_job_end(1, result("a-2", 8.0))
        assert "best so far: dev ppl 8, a-2\n" in (picture := shown(terminal, view))
        assert "2 of 4 done, 0 running, 0:00 left" in picture
        view.on_job_start(2)
        view.on_job_end(2, result("a-3", None))
        view.on_job_start(3)
        view.on_job_end(3, JobReturn(status=JobStatus.FAILED, _return_value=ValueError("x")))
        assert "best so far: dev ppl 8, a-2\n" in (picture := shown(terminal, view))
        assert "4 of 4 done, 0 running, 0:00 left" in picture


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", ["optimizer-adam", "optimizer-adadelta_hidden_size-128_lr-0.0003_seed-2"])
def test_everything_fits_into_a_terminal(width: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any usual width: bars, states and clock whole, before the first run has ended and after it."""
    screen, now = opened(monkeypatch, width), [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    status = "epoch 100  dev ppl 1,380.4 (10.43 bits)"
    with SweepDisplay([name] * 120) as view:
        for job in range(3):
            view.on_job_start(job)
        for job in range(2):
            view.on_progress(job, f"{name}-0000000{job}", 0, 100, status)
            view.on_progress(job, f"{name}-0000000{job}", 99, 100, status)
        now[0] = 180.0
        view.on_progress(1, f"{name}-00000001", 100, 100, status)
        before = shown(screen, view).splitlines()
        view.on_job_end(0, result(f"{name}-00000000", 1380.4, bits=10.43))
        after = shown(screen, view).splitlines()
    for lines, clock, ended in ((before, "2:57:54", 0), (after, "2:57:00", 1)):
        [sweep] = (line for line in lines if line.startswith("sweep"))
        assert sweep.rstrip().endswith(f"{ended} of 120 done, {3 - ended} running, {clock} left")
        running = [line for line in lines if line.rstrip().endswith(status)]
        assert len(running) == 2 - ended
        for line in running:
            assert line.count("━") >= 9  # of at least ten: 99 hundredths are done
            assert line.split()[0].endswith(name[-8:]) or name in line
        assert all(cell_len(line) <= width and "─" not in line for line in lines)
    assert after[0].startswith(f"best so far: dev ppl 1,380.4 (10.43 bits), {name[:20]}"[:width])
    assert len(after) == len(before) == 4  # nothing is wrapped


@pytest.mark.parametrize(
    ("width", "fitted"),
    [
        (30, "  optimizer-adam_lr-1-1a2b3c4d"),
        (29, "  optimizer-adam_lr-1"),
        (21, "  optimizer-adam_lr-1"),
        (20, "  …timizer-adam_lr-1"),
        (4, "  …1"),
        (3, "  …"),
    ],
)
def test_names_lose_their_hash_first_and_then_their_beginning(width: int, fitted: str) -> None:
    assert progress_bar.OneLineName("  optimizer-adam_lr-1-1a2b3c4d").fitted(width) == fitted


def test_wide_characters_take_two_columns() -> None:
    assert progress_bar.OneLineName("poems.starts=日月山").fitted(9) == "…s=日月山"
    assert progress_bar.OneLineName("poems.starts=日月山").fitted(6) == "…月山"


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
        assert "best so far: dev accuracy 0.5000, 1\n" in shown(terminal, view)


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


def test_a_search_names_its_jobs_as_they_come(terminal: io.StringIO) -> None:
    progress = [StreamProgress(0, 4, "0 of 4 settings tried", "")]
    with SearchDisplay(lambda: progress[-1]) as view:
        view.add_name("optimizer.lr=0.1")
        view.on_job_start(0)
        assert "0 of 4 settings tried" in (picture := shown(terminal, view))
        assert "optimizer.lr=0.1" in picture
        progress.append(StreamProgress(2, 4, "2 of 4 settings tried", "best so far: ppl 9"))
        view.on_job_end(0, result("a-1", 9.0))
        picture = shown(terminal, view)
        assert "best so far: ppl 9" in picture
        assert "2 of 4 settings tried" in picture
        assert "50%" in picture
        assert "optimizer.lr=0.1" not in picture
