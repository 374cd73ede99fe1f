"""What is shown of a sweep at work, on a terminal and without one."""

import io

import pytest
from hydra.core.utils import JobReturn, JobStatus
from rich.console import Console

from tangsweep import console, progress_bar
from tangsweep.sweep import display
from tangsweep.sweep.display import Display


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    screen = io.StringIO()
    drawn = Console(file=screen, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(console, "console", drawn)
    return screen


def result(name: str, perplexity: float | None, mode: str = "min") -> JobReturn:
    dev = {"perplexity": perplexity, "bits_per_character": None}
    record = {"run_id": name, "primary": {"metric": "perplexity", "mode": mode}, "dev": dev}
    return JobReturn(status=JobStatus.COMPLETED, _return_value=record)


def shown(screen: io.StringIO, view: Display) -> str:
    view._progress.refresh()
    return screen.getvalue().rsplit("sweep ", 1)[-1]


def test_done_running_left_best_and_time(terminal: io.StringIO) -> None:
    with Display(["a=1", "a=2", "a=3", "a=4"]) as view:
        for job in (0, 1):
            view.began(job)
        assert "0 done, 2 running, 2 left" in shown(terminal, view)
        view.progressed(0, "a-1-00000000", 0, 10, "")
        view.progressed(0, "a-1-00000000", 5, 10, "epoch 3  dev ppl 7.0")
        picture = shown(terminal, view)
        assert "a-1-00000000" in picture
        assert "epoch 3  dev ppl 7.0" in picture
        assert "12%" in picture  # half of one of four
        assert "0:00 left" in picture
        view.ended(0, result("a-1", 9.0))
        view.ended(1, result("a-2", 8.0))
        assert "2 done, 0 running, 2 left  best dev ppl 8 a-2" in shown(terminal, view)
        view.began(2)
        view.ended(2, result("a-3", None))
        view.began(3)
        view.ended(3, JobReturn(status=JobStatus.FAILED, _return_value=ValueError("x")))
        assert "4 done, 0 running, 0 left  best dev ppl 8 a-2" in shown(terminal, view)


def test_what_was_done_before_does_not_make_it_look_fast(
    terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    with Display(["a"]) as view:
        view.began(0)
        view.progressed(0, "a-1", 90, 100, "")  # goes on from there
        now[0] = 60.0
        view.progressed(0, "a-1", 95, 100, "")
        assert "1:00 left" in shown(terminal, view)


def test_names_are_no_markup(terminal: io.StringIO) -> None:
    with Display(["x=[/a]"]) as view:
        view.began(0)
        assert "x=[/a]" in shown(terminal, view)


def test_the_greater_is_better_where_the_corpus_says_so(terminal: io.StringIO) -> None:
    with Display(["a", "b"]) as view:
        for job, value in enumerate((3.0, 5.0)):
            view.began(job)
            view.ended(job, result(str(job), value, mode="max"))
        assert "best dev ppl 5 1" in shown(terminal, view)


def test_a_death_is_told_and_its_share_taken_back(terminal: io.StringIO) -> None:
    with Display(["a", "b"]) as view:
        view.began(0)
        view.progressed(0, "a-1", 10, 10, "")
        view.died(0, "its worker was ended by SIGKILL", again=True)
        assert "a-1: its worker was ended by SIGKILL; it goes on in another" in terminal.getvalue()
        assert "0%" in shown(terminal, view)


def test_without_a_terminal_only_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(["a"]) as view:
        view.began(0)
        view.progressed(0, "a-1", 1, 10, "epoch 1")
        view.said("a-1  done", None)
        view.ended(0, result("a-1", 2.0))
    assert capsys.readouterr().out == "a-1  done\n"


def test_a_relayed_bar_tells_the_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[object, ...]] = []
    monkeypatch.setattr(console, "_relay", lambda *message: told.append(message))
    steps = progress_bar.progress_bar_for("a-1")
    steps.start(40)
    for done in range(40):
        steps.step(done)  # within a quarter of a second: not told one by one
    steps.state("epoch 1")
    steps.close()
    console.print_line("a line", "bold")
    assert told[0] == ("progress", "a-1", 0, 40, "")
    assert len(told) < 10
    assert told[-1] == ("say", "a line", "bold")


@pytest.mark.parametrize(("seconds", "words"), [(7, "0:07"), (750, "12:30"), (11100, "3:05:00")])
def test_clock(seconds: float, words: str) -> None:
    assert display._clock(seconds) == words
