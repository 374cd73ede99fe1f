"""The page of a sweep while it trains, as `run_sweep` begins and ends it; tests/reporting has its content."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from tangsweep.reporting.live_page import LivePage, is_unfinished_page, unfinished_page
from tangsweep.runs.record import Outcome
from tangsweep.sweep import run_sweep as command
from tangsweep.sweep.jobs import Job, PreparedJob
from tests.conftest import QUIET, configured
from tests.sweep.test_confirm import Recomposing

TINY = ("corpus=sample", "data.poems=12", "model.hidden_size=4", "model.embed_size=4", "trainer.max_epochs=1")
EVENTS: list[str] = []


class RecordedPage(LivePage):
    """The page, and when it begins and ends among the other events."""

    def __enter__(self) -> LivePage:
        EVENTS.append("page begins")
        return super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        EVENTS.append("page ends")


class RecordedLauncher(Recomposing):
    def launch(self, jobs: Sequence[PreparedJob]) -> list[Outcome]:
        EVENTS.append("trained")
        return super().launch(jobs)


@pytest.fixture(autouse=True)
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    monkeypatch.setattr(command, "LivePage", RecordedPage)
    threads = torch.get_num_threads()
    yield EVENTS
    EVENTS.clear()
    torch.set_num_threads(threads)


def train(*more: str, compared: bool = True, stop: int | None = None) -> None:
    overrides = [*TINY, *QUIET, "sweep.name=s", "sweep.varied='x'", *more]
    job = Job(overrides, configured(*overrides))
    command.run_sweep([job], RecordedLauncher(stop), compared)


def test_it_begins_before_training_and_ends_before_the_report(home: Path, events: list[str]) -> None:
    train()
    assert events == ["page begins", "trained", "page ends"]
    page = home / "outputs" / "s" / "report.html"
    assert not is_unfinished_page(page)


def test_it_ends_with_a_sweep_that_is_interrupted(home: Path, events: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(stop=0)
    assert events == ["page begins", "trained", "page ends"]


@pytest.mark.parametrize("more", [{"report": "report=false"}, {"compared": "no"}])
def test_none_without_a_report_or_for_a_single_run(
    home: Path, events: list[str], more: dict[str, str]
) -> None:
    train(*([more["report"]] if "report" in more else []), compared="compared" not in more)
    assert events == ["trained"]


def test_the_page_that_a_kill_left_is_replaced_when_nothing_is_left_to_train(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train()
    sweep = home / "outputs" / "s"
    page = sweep / "report.html"
    train()
    assert "nothing to train; the report lies in" in capsys.readouterr().out
    page.write_text(unfinished_page(sweep), encoding="utf-8")
    train()
    assert "nothing to train" not in capsys.readouterr().out
    assert not is_unfinished_page(page)
