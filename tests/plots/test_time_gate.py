"""`python -m tangsweep.plots.time_gate`, for a new cell and for a trained model."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.errors import UserError
from tangsweep.plots import time_gate
from tests.conftest import QUIET, Ran


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["time_gate", *arguments])
    time_gate.main()


def test_the_chart_of_a_new_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "--units", "3", "--out", str(tmp_path / "gate.svg"))
    picture = (tmp_path / "gate.svg").read_text(encoding="utf-8")
    assert len(re.findall(r">unit \d+, period ", picture)) == 3


def test_values_are_those_of_the_cell() -> None:
    cell = time_gate.new_phased_lstm(0)
    openness = time_gate.openness_over_time(cell, 4, 30.0)
    assert openness["unit"].nunique() == 4
    periods = [float(name.rpartition(" ")[2]) for name in openness["unit"].unique()]
    assert periods == sorted(periods)
    assert periods[0] == pytest.approx(cell.log_period.exp().min().item(), abs=0.05)
    assert openness["k"].between(0, 1).all() and openness["k"].max() > 0.9


def test_a_trained_model(train: Callable[..., Ran]) -> None:
    small = ("corpus=sample", "data.poems=12", "trainer.max_steps=2", "model.hidden_size=8", *QUIET)
    folder = train("cell=phased_lstm", "cell.period=9", base=small).folder
    cell = time_gate.trained_phased_lstm(str(folder.path))
    openness = time_gate.openness_over_time(cell, 5, 30.0)
    assert openness["unit"].nunique() == 5  # units of one period are still told apart
    assert cell.log_period.exp().tolist() == pytest.approx([9] * 8, rel=0.1)
    without_gate = train("cell=lstm", base=small).folder
    with pytest.raises(UserError, match="has no time gate"):
        time_gate.trained_phased_lstm(str(without_gate.path))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--out", "gate.pdf"], r"the name must end in \.png, \.svg or \.html"),
        (["--units", "0"], "--units must be at least 1"),
        (["--until", "0"], "--until above 0"),
    ],
)
def test_mistakes(arguments: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=complaint):
        command(monkeypatch, *arguments)
