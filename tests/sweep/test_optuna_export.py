"""A search as Optuna studies, and as tables of pandas."""

import math
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import tangsweep
from tangsweep.errors import UserError
from tangsweep.runs.search_log import Line, Result, SearchLog, Setting, Step
from tests.conftest import RunCommand

LR = {"key": "optimizer.lr", "low": 1e-4, "high": 1.0, "log": True, "whole": False, "step": None}
INIT = {"key": "init", "values": ["zeros", "uniform"]}
HEADER = {
    "space": [{"name": "optimizer=adam", "branches": [{"fixed": ["optimizer=adam"], "parameters": [LR, INIT]}]}],
    "rungs": {"optimizer=adam": [[0, 3], [0, None]]},
    "sampler": "tpe", "startup": 10, "seed": 0, "eta": 3, "known": [],
}  # fmt: skip


def setting(rate: str) -> Setting:
    return Setting("optimizer=adam", 0, {"optimizer.lr": rate, "init": "zeros"})


LINES = [
    Line(Step(0, 0), setting("0.01"), ()),
    Line(Step(1, 0), setting("0.1"), (Result(0, 0, 5.5),)),
    Line(Step(2, 0), setting("0.5"), (Result(1, 0, 5.25),)),
    Line(Step(1, 1), None, (Result(2, 0, math.inf),)),
    Line(Step(3, 0), setting("0.02"), (Result(1, 1, 5.0),)),
    Line(Step(4, 0), setting("0.03"), (Result(3, 0, None),)),
]


@pytest.fixture
def sweep(home: Path) -> Path:
    folder = home / "outputs" / "s"
    (folder / "run-00000000").mkdir(parents=True)
    (folder / "run-00000000" / "config.yaml").write_text("optimizer: {lr: 0.1}\n")
    log = SearchLog(folder)
    log.open(HEADER)
    for line in LINES:
        log.append(line)
    return folder


def test_the_exported_study_holds_every_setting(sweep: Path, home: Path, run_command: RunCommand) -> None:
    status, out, err = run_command("report outputs/s --optuna study.log")
    assert (status, err) == (0, "")
    assert "holds the studies s optimizer=adam" in out
    storage = JournalStorage(JournalFileBackend(str(home / "study.log")))
    study = optuna.load_study(study_name="s optimizer=adam", storage=storage)
    states = ["PRUNED", "COMPLETE", "COMPLETE", "FAIL", "RUNNING"]
    assert [trial.state.name for trial in study.trials] == states
    assert study.trials[0].intermediate_values == {3: 5.5}
    assert study.best_trial.params == {"optimizer.lr": 0.1, "init": "zeros"}
    assert study.best_value == 5.0
    assert study.trials[2].value == 6.5  # diverged: a finite value above all others
    assert study.trials[0].user_attrs == {"overrides": "optimizer.lr=0.01 init=zeros"}


def test_what_cannot_be_exported_is_said_in_one_line(
    sweep: Path, home: Path, run_command: RunCommand
) -> None:
    (home / "there.log").touch()
    for arguments, message in (
        ("outputs/s --optuna there.log", "--optuna there.log exists already"),
        ("--optuna study.log", "--optuna is for one search"),
        ("outputs/s --optuna nowhere/study.log", "does not exist, make it first"),
    ):
        status, _, err = run_command(f"report {arguments}")
        assert (status, len(err.strip().splitlines())) == (2, 1)
        assert message in err
    (sweep / "search.jsonl").unlink()
    assert "is of no search" in run_command("report outputs/s --optuna study.log").err


def test_a_search_as_tables(sweep: Path) -> None:
    search = tangsweep.load_search(sweep)
    assert search.trials["trial"].tolist() == [0, 1, 2]
    assert search.trials["rung"].tolist() == [0, 1, 0]
    assert search.trials["value"].tolist() == [5.5, 5.0, math.inf]
    assert search.parameters.query("key == 'optimizer.lr'")["number"].tolist() == [0.01, 0.1, 0.5, 0.02, 0.03]
    assert search.rungs == {"optimizer=adam": ["3 epochs", "whole"]}
    with pytest.raises(UserError, match="is of no search with results"):
        tangsweep.load_search(sweep.parent)
