"""Files of runs that were changed since they were written: named in the report, and left out."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tangsweep.reporting.build import read_sweeps
from tangsweep.reporting.data.collect import SweepData
from tangsweep.runs.checkpoint_rows import METRICS_TEXT, rows_text_in
from tangsweep.runs.document_scores import read_authors, read_document_sums
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.provenance import log_command
from tests.conftest import Ran
from tests.damage import flip_bit

Train = Callable[..., Ran]


@pytest.fixture
def runs(train: Train) -> list[RunFolder]:
    return [train("sweep.name=x", f"seed={seed}").folder for seed in (0, 1)]


def problems(data: SweepData) -> dict[str, str]:
    return {Path(file.path).name: file.reason for file in data.unreadable}


def test_of_runs_as_they_were_written_nothing_is_said(runs: list[RunFolder]) -> None:
    data = read_sweeps([runs[0].path.parent])
    assert data.unreadable == []
    assert sorted(data.runs["status"]) == ["done", "done"]


def test_a_changed_record_does_not_count(runs: list[RunFolder]) -> None:
    flip_bit(runs[0].result, b'"seed": 0')
    data = read_sweeps([runs[0].path.parent])
    assert problems(data) == {
        "result.json": "was changed since it was written, and left out: the same command ends the run again"
    }
    assert data.runs.set_index("run")["status"].to_dict() == {
        runs[0].path.name: "crashed", runs[1].path.name: "done"
    }  # fmt: skip
    assert sorted(data.records) == [runs[1].path.name]


@pytest.mark.parametrize(("name", "part"), [
    ("config.yaml", b"batch_size: 1"), ("metrics.csv", b"1,1,"), ("poems.txt", "山".encode()), ("scores.npz", b"dev/nats.npy"),
])  # fmt: skip
def test_another_changed_file_is_left_out(runs: list[RunFolder], name: str, part: bytes) -> None:
    folder = runs[0]
    run = folder.path.name
    flip_bit(folder.path / name, part)
    data = read_sweeps([folder.path.parent])
    assert problems(data) == {
        name: "was changed since it was written, and left out: remove result.json beside it, and the same "
        "command writes both again"
    }
    assert run in data.records
    assert bool(data.configs[run]) == (name != "config.yaml")
    assert (run in set(data.epochs["run"])) == (name != "metrics.csv")
    assert (run in data.poems) == (name != "poems.txt")
    is_scored = name != "scores.npz"
    assert (read_document_sums(folder, "dev") is not None) == is_scored
    assert (read_authors(folder, "dev") is not None) == is_scored


def test_a_run_that_has_not_ended_is_checked_by_what_it_has(runs: list[RunFolder]) -> None:
    folder = runs[0]
    folder.result.unlink()
    before = read_sweeps([folder.path.parent])
    flip_bit(folder.config, b"batch_size: 1")
    flip_bit(folder.metrics, b"\n1,1,")
    data = read_sweeps([folder.path.parent])
    assert problems(data) == {
        "config.yaml": "was changed since it was written, and left out: the same command writes it again",
        "metrics.csv": "was changed since it was written: shown are the rows that last.ckpt has, and the same "
        "command restores them",
    }
    assert data.epochs["dev_loss"].tolist() == before.epochs["dev_loss"].tolist()


def test_a_changed_command_is_left_out(runs: list[RunFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = runs[0].path.parent
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "seed=0,1"])
    for _ in range(2):
        log_command(sweep, 2, 2)
    assert [command.runs for command in read_sweeps([sweep]).commands] == [2, 2]
    flip_bit(sweep / "commands.jsonl", b'"runs": 2')
    data = read_sweeps([sweep])
    assert [command.runs for command in data.commands] == [2]
    assert problems(data) == {"commands.jsonl, line 1": "was changed since it was written, and left out"}


def test_rows_are_read_from_a_checkpoint_without_torch(runs: list[RunFolder], tmp_path: Path) -> None:
    text = rows_text_in(runs[0].last)
    assert text is not None and text.encode() == runs[0].metrics.read_bytes()
    assert rows_text_in(runs[0].best) is None  # which has none
    assert rows_text_in(tmp_path / "none.ckpt") is None
    other = tmp_path / "other.ckpt"
    torch.save({"a": torch.ones(3), METRICS_TEXT: "step,水\n" * 100, "b": 1}, other)
    assert rows_text_in(other) == "step,水\n" * 100
    shutil.copy(runs[0].last, other)
    flip_bit(other, METRICS_TEXT.encode())
    assert rows_text_in(other) is None
