"""`plan=true` and what a sweep says of its runs before it starts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.console import format_bytes, format_duration
from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record_file import parse_record, read_record, write_record
from tangsweep.runs.state import State
from tangsweep.sweep import plan, run_status
from tangsweep.sweep.plan import estimate_cost
from tangsweep.sweep.run_status import RunStatus
from tangsweep.training.prepare import PreparedRun
from tests.conftest import QUIET, SMALL, Ran, configured, prepare

Train = Callable[..., Ran]


def prepared(*overrides: str) -> PreparedRun:
    return prepare(configured(*SMALL, *QUIET, *overrides), list(overrides))


def test_what_a_plan_shows(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    result, folder = train("seed=0")
    write_record(folder, parse_record(result | {"seconds": 600.0})[0])
    runs = [prepared(f"seed={seed}") for seed in (0, 1, 2)]
    files = sorted(folder.path.rglob("*"))
    capsys.readouterr()
    plan.print_plan(runs, run_status.look_up_runs([p.folder for p in runs], "unfinished"), concurrency=2)
    head, done, missing, _, total = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "varies", "state", "time", "disk"]
    assert done.split() == [folder.path.name.rpartition("-")[2], "seed-0", "done,", "left"]
    assert missing.split()[1:5] == ["seed-1", "missing", "10", "min"]  # as long as the one that is done
    assert total.startswith("2 of 3 runs to train: 20 min of training and scoring, about 10 min with 2 at")
    assert sorted(folder.path.rglob("*")) == files
    assert not runs[1].folder.exists()


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("cell=gru", "optimizer=sgd"),
        ("cell=numpy_lstm",),
        ("trainer.gradient_clip_val=1", "scheduler=cosine"),
    ],
    ids=" ".join,
)
def test_a_cost_is_measured_where_nothing_is_known(overrides: tuple[str, ...], home: Path) -> None:
    short, long = (estimate_cost(prepared(*overrides, f"trainer.max_epochs={n}")) for n in (1, 1000))
    assert 0 < short[0] < long[0]
    assert 4000 < short[1] < long[1]
    assert not (home / "outputs").exists()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_disk_that_was_measured_is_used(train: Train, optimizer: str) -> None:
    _, folder = train(f"optimizer={optimizer}", "model.hidden_size=64")
    checkpoints = sum(path.stat().st_size for path in folder.checkpoints.iterdir())
    assert estimate_cost(prepared(f"optimizer={optimizer}", "model.hidden_size=64"))[1] == pytest.approx(
        checkpoints, rel=0.25
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(7.4, "7 s"), (61, "1 min"), (5399, "90 min"), (5400, "1.5 h"), (90000, "25.0 h")]
)
def test_clock(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


def test_size() -> None:
    assert (format_bytes(3.4e5), format_bytes(2.14e9)) == ("0.3 MB", "2.1 GB")


def test_describe() -> None:
    def of(*states: str) -> dict[Path, RunStatus]:
        names = [state.split("!") for state in states]
        return {Path(str(n)): RunStatus(State(s[0]), len(s) > 1, None) for n, s in enumerate(names)}

    assert run_status.describe_statuses(of("missing!", "missing!")) == "2 runs"
    assert run_status.describe_statuses(of("missing!", "interrupted!", "done", "done", "diverged")) == (
        "5 runs, 2 to train (1 interrupted, 1 missing), 3 left as they are (1 diverged, 2 done)"
    )


def test_runs_of_another_commit_are_counted(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    result, folder = train()
    here = run_status.look_up_runs([folder.path], "unfinished")
    run_status.warn_of_other_commits(here)
    assert "another commit" not in capsys.readouterr().out
    write_record(folder, parse_record(result | {"git": {"commit": "0123456789", "dirty": False}})[0])
    run_status.warn_of_other_commits(run_status.look_up_runs([folder.path], "unfinished"))
    assert "1 of those left were trained at another commit (0123456)" in capsys.readouterr().out
    run_status.warn_of_other_commits(
        run_status.look_up_runs([folder.path], "all")
    )  # trained anew: nothing to warn of
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("by", ["held by another", "set aside by another"])
def test_what_another_process_took_up_is_not_set_aside(train: Train, by: str) -> None:
    _, folder = train()
    statuses = run_status.look_up_runs([folder.path], "all")
    if by == "held by another":
        with lock.hold_lock(folder):
            run_status.set_aside(statuses, unlock=False)
        assert read_record(folder) is not None
    else:
        folder.set_aside()
        run_status.set_aside(statuses, unlock=False)
        assert len(list(folder.path.parent.glob("*.replaced-*"))) == 1


def test_set_aside(train: Train) -> None:
    result, folder = train()
    run_status.set_aside(run_status.look_up_runs([folder.path], "unfinished"), unlock=False)
    assert folder.result.exists()
    run_status.set_aside(run_status.look_up_runs([folder.path], "all"), unlock=False)
    [beside] = folder.path.parent.glob("*.replaced-*")
    assert json.loads(RunFolder(beside).result.read_text())["dev"] == result["dev"]
    assert not folder.result.exists()


def test_a_failed_run_is_set_aside_by_all_alone(train: Train) -> None:
    result, folder = train()
    write_record(folder, parse_record(result | {"status": "failed"})[0])
    for rerun in ("unfinished", "failed", "all"):
        assert folder.result.exists(), rerun
        run_status.set_aside(run_status.look_up_runs([folder.path], rerun), unlock=False)
    assert not folder.path.exists()
