"""Numbers, times, scores and outcomes of runs in messages, and the file of log lines."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from tangsweep import console as console_module
from tangsweep.console import (
    format_clock,
    format_number,
    format_outcome,
    format_score,
    log_to_file,
    print_prose,
)
from tangsweep.errors import UserError
from tangsweep.runs.record import LostMirror, Outcome, PrimaryMetric, Record, Scores


@pytest.mark.parametrize(("seconds", "words"), [(7, "0:07"), (750, "12:30"), (11100, "3:05:00")])
def test_clock(seconds: float, words: str) -> None:
    assert format_clock(seconds) == words


@pytest.mark.parametrize(
    ("number", "text"), [(12.34, "12.3"), (1234.0, "1,234"), (1e6, "1.0e+06"), (float("inf"), "inf")]
)
def test_number(number: float, text: str) -> None:
    assert format_number(number) == text


def test_score() -> None:
    perplexity = {"perplexity": 380.44, "bits_per_character": 8.571}
    assert format_score("perplexity", perplexity) == "ppl 380.4 (8.57 bits)"
    assert format_score("perplexity", perplexity | {"bits_per_character": None}) == "ppl 380.4"
    assert format_score("perplexity", {"perplexity": None, "bits_per_character": None}) == "ppl inf"
    assert format_score("accuracy", {"accuracy": 0.999}) == "accuracy 0.9990"


DONE = Record(
    status="done",
    run_id="r",
    primary=PrimaryMetric(metric="accuracy"),
    dev=Scores(accuracy=0.5),
    best_epoch=2,
    epochs=3,
    seconds=7.4,
)


LOST = {
    "wandb": LostMirror(step=1200, replayed=True),
    "tensorboard": LostMirror(step=0, replayed=False),
}


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (
            Outcome("r", "running", holder="process 7 on host"),
            "r  left to process 7 on host, which trains it now",
        ),
        (Outcome("r", "done", DONE, skipped=True), "r  done already; rerun=all trains it anew"),
        (
            Outcome("r", "failed", Record(status="failed", error="out of memory")),
            "r  FAILED  out of memory  (traceback in out/r/train.log)",
        ),
        (Outcome("r", "done", DONE), "r  done  best dev accuracy 0.5000 at epoch 2 of 3, 7 s"),
        (
            Outcome("r", "done", DONE.model_copy(update={"solved_step": 1200})),
            "r  done  best dev accuracy 0.5000 at epoch 2 of 3, solved at step 1,200, 7 s",
        ),
        (
            Outcome("r", "done", DONE.model_copy(update={"ended": "hopeless"})),
            "r  done  best dev accuracy 0.5000 at epoch 2 of 3, given up as hopeless, 7 s",
        ),
        (
            Outcome("r", "done", DONE.model_copy(update={"lost_mirrors": LOST})),
            "r  done  best dev accuracy 0.5000 at epoch 2 of 3, wandb lost at step 1,200 and written anew, tensorboard lost at step 0, 7 s",
        ),
        (
            Outcome("r", "diverged", Record(status="diverged", diverged_step=4, last_finite_loss=8.25)),
            "r  diverged at step 4, last finite loss 8.250",
        ),
    ],
)
def test_outcome(outcome: Outcome, line: str) -> None:
    assert format_outcome(outcome, "out/r") == line


FULL = Path("/dev/full")  # every write to it fails, as on a full disk


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_log_on_a_full_disk_costs_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with log_to_file(FULL):
        for number in range(3):
            logging.getLogger("somebody").warning("line %s", number)
        logging.getLogger("pytorch_lightning").info("a line")
    printed = capfd.readouterr()
    assert printed.out == "/dev/full cannot be written (No space left on device): lines of the log are lost\n"
    assert printed.err == ""


def test_a_log_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*Is a directory"), log_to_file(tmp_path):
        pass


def test_a_mistake_in_a_logging_call_keeps_its_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with log_to_file(tmp_path / "log"):
        logging.getLogger("somebody").warning("%d", "no number")
    assert "Logging error" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("is_terminal", "lines"),
    [(True, ["It cannot be", "told which is", "best."]), (False, ["It cannot be told which is best."])],
)
def test_prose_breaks_between_words_on_a_terminal_alone(
    is_terminal: bool, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    own = Console(file=screen, width=14, force_terminal=is_terminal, color_system=None)
    monkeypatch.setattr(console_module, "console", own)
    print_prose("It cannot be told which is best.")
    assert [line.rstrip() for line in screen.getvalue().splitlines()] == lines
