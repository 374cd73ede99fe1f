"""`python -m tangsweep.plots.gradient_flow`, for random weights and for a trained model."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.command_line import run_command
from tangsweep.plots import gradient_flow
from tests.conftest import QUIET, SMALL, Ran

Command = Callable[..., str]


@pytest.fixture
def command(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs the command with arguments, in the folder `home`, and returns its output."""
    monkeypatch.chdir(home)

    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["gradient_flow", "--steps", "8", *arguments])
        gradient_flow.main()
        return capsys.readouterr().out

    return run


def test_random_weights(command: Command, home: Path) -> None:
    output = command("--hidden", "5", "--out", "a.png")
    assert "RNN, spectral radius 1.2:" in output
    assert "LSTM, forget bias 5:" in output
    assert "a.png\n" in output
    assert (home / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_trained_model(command: Command, home: Path, train: Callable[..., Ran]) -> None:
    run = str(train().folder.path.relative_to(home))
    assert "∂h_T/∂c_k" in command("--checkpoint", run, "--out", "b.svg")
    assert (home / "b.svg").read_text(encoding="utf-8").startswith("<svg")
    other = train("cell=gru", "sweep.name=gru", base=(*SMALL, *QUIET)).folder.path
    with pytest.raises(Exception, match="is not an LSTM of poems"):
        command("--checkpoint", str(other))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--checkpoint", "nowhere"], "does not exist"),
        (["--out", "c.bmp"], "must end in .png"),
        (["--hidden", "0"], "must be at least 1"),
        (["--hidden", "2", "--out", "nowhere/c.svg"], "--out nowhere/c.svg cannot be written (No such file"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], complaint: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_command(lambda: command(*arguments))
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
