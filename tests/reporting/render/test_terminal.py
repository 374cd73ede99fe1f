"""The end of a sweep on the terminal: its rankings, warnings and answers."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tangsweep.reporting.build import report_sweep
from tangsweep.reporting.render import terminal
from tests.reporting.written_sweeps import record, write_optimizer_runs, write_run


def test_the_rankings_are_printed_and_the_files_written(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_optimizer_runs(sweep, {"sgd": [500.0, 510.0], "adam": [400.0, 410.0]})
    other = {"name": "other", "dev_fingerprint": "other"}
    write_run(sweep, "o-1", record(90.0, corpus=other, overrides=["optimizer=o"]), optimizer__lr=1)
    report_sweep(sweep, write_files=True)
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("development", "training", "405.0", "90", "adam", "sgd"))
    assert (
        "difference" not in printed.partition("Development perplexity: exp")[0]
    )  # columns of the page alone
    assert "adam is best: development perplexity 405.0" in printed
    assert (sweep / "report.html").exists()


def test_names_stay_whole_at_80_columns(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that are empty for all groups leave them room."""
    screen = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=screen, width=80, highlight=False))
    write_optimizer_runs(sweep, {"adadelta": [1500.0, 1510.0], "rmsprop": [1400.0, 1410.0]})
    report_sweep(sweep, write_files=False)
    lines = screen.getvalue().splitlines()
    assert {"adadelta", "rmsprop"} <= {line.split()[0] for line in lines if line.strip()}
    assert "diverged" not in screen.getvalue()
    assert all(len(line) <= 80 for line in lines)


def test_a_long_ranking_is_cut(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_optimizer_runs(sweep, {f"optimizer{number}": [400.0 + number] for number in range(43)})
    report_sweep(sweep, write_files=False)
    assert "3 more in the report" in capsys.readouterr().out
    assert not (sweep / "report.html").exists()


def test_a_folder_without_runs_prints_nothing(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_sweep(sweep, write_files=True)
    assert capsys.readouterr().out == ""
