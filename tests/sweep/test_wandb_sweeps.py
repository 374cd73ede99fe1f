"""Sweeps of W&B: their files, with the space of a search, and what a run does that an agent starts."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record_file import read_record
from tangsweep.runs.wandb_names import WORST_SCORE
from tangsweep.sweep.wandb_sweeps import agent_arguments
from tests.conftest import DIVERGES_IN_EPOCH_2, SMALL, RunCommand
from tests.training import wandb_file

SWEEP = """
# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    grids:
      - {optimizer: sgd, optimizer.lr: "tag(log, interval(0.1, 30))"}
      - {optimizer: adam, optimizer.lr: "interval(0.001, 0.1)", optimizer.betas: ["[0.9,0.99]", "[0.5,0.9]"],
         model.layers: "range(1,4)", model.hidden_size: "tag(int, interval(4, 9))"}
corpus: {name: sample}
search: {trials: 4, sampler: gp}
trainer: {max_epochs: 2}
"""


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that `wandb agent` gives to a run."""
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep123")
    monkeypatch.setenv("WANDB_RUN_ID", "first456")
    monkeypatch.setenv("WANDB_MODE", "offline")


def agents_command(definition: Mapping[str, object], **parameters: object) -> str:
    """The command that an agent makes of a sweep's definition, after the program."""
    command = definition["command"]
    assert isinstance(command, list)
    assert command[:3] == ["${env}", "${interpreter}", "${program}"]
    assert command[-1] == "${args_no_hyphens}"
    return shlex.join([*command[3:-1], *(f"{key}={value}" for key, value in parameters.items())])


def untimed(values: dict[str, str]) -> dict[str, str]:
    """Without what W&B adds, times and its own count of rows, and without tables, which are not replayed."""
    return {key: value for key, value in values.items() if not key.startswith(("_", "poems"))}


def test_a_file_for_each_branch_of_the_space(own_sweeps: Path, run_command: RunCommand, home: Path) -> None:
    (own_sweeps / "mine.yaml").write_text(SWEEP, encoding="utf-8")
    done = run_command("train sweeps=mine corpus=sample wandb_sweep=definitions")
    assert done.status == 0, done.err
    assert "nothing was trained" in done.out
    assert sorted(path.name for path in (home / "definitions").iterdir()) == [
        "optimizer-adam.yaml",
        "optimizer-sgd.yaml",
    ]
    sgd, adam = (
        yaml.safe_load((home / "definitions" / f"optimizer-{name}.yaml").read_text(encoding="utf-8"))
        for name in ("sgd", "adam")
    )
    assert sgd["parameters"] == {
        "optimizer": {"value": "sgd"},
        "optimizer.lr": {"distribution": "log_uniform_values", "min": 0.1, "max": 30.0},
    }
    assert adam["parameters"] == {
        "optimizer": {"value": "adam"},
        "optimizer.lr": {"distribution": "uniform", "min": 0.001, "max": 0.1},
        "optimizer.betas": {"values": ["[0.9,0.99]", "[0.5,0.9]"]},
        "model.layers": {"values": [1, 2, 3]},
        "model.hidden_size": {"distribution": "int_uniform", "min": 4, "max": 9},
    }
    for definition in (sgd, adam):
        assert (definition["method"], definition["run_cap"]) == ("bayes", 4)
        assert definition["metric"] == {"name": "val/perplexity", "goal": "minimize"}
        assert definition["program"] == "src/train.py"
        assert agents_command(definition) == "sweeps=mine corpus=sample"
    again = run_command("train sweeps=mine corpus=sample wandb_sweep=definitions")
    assert (again.status, again.out) == (2, "")
    assert "wandb_sweep=definitions exists" in again.err
    without = run_command("train -m optimizer=sgd,adam corpus=sample wandb_sweep=other")
    assert (without.status, "set search.trials" in without.err) == (2, True)
    assert not (home / "outputs").exists()


@pytest.mark.usefixtures("agent")
def test_the_runs_of_an_agent(
    own_sweeps: Path, run_command: RunCommand, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_sweeps / "mine.yaml").write_text(SWEEP, encoding="utf-8")
    parameters = {"optimizer": "sgd", "optimizer.lr": 0.5, "config_hash": "x", "trainer.patience": "None"}
    definition = {"command": ["${env}", "${interpreter}", "${program}", "sweeps=mine", "${args_no_hyphens}"]}
    line = f"train {shlex.join(SMALL)} {agents_command(definition, **parameters)}"
    done = run_command(line)
    assert done.status == 0, done.err
    [path] = (home / "outputs" / "wandb-sweep123").glob("*-*")
    record = read_record(RunFolder(path))
    assert record is not None and record.dev is not None and record.wandb is not None
    assert (record.epochs, record.wandb.id) == (2, "first456")  # two epochs: what the sweep file says
    first = wandb_file.read(path)
    assert json.loads(first.summary["val/perplexity"]) == record.dev.perplexity
    logged = [row["val/perplexity"] for row in first.history if "val/perplexity" in row]
    assert len(logged) == 3  # before training and after each epoch

    monkeypatch.setenv("WANDB_RUN_ID", "again789")
    before = RunFolder(path).result.read_bytes()
    assert run_command(line).status == 0
    again = wandb_file.read(path)
    assert again.id == "again789"
    rows = [[untimed(row) for row in run.history if untimed(row)] for run in (first, again)]
    assert rows[0] == rows[1]
    assert untimed(again.summary) == untimed(first.summary)
    assert RunFolder(path).result.read_bytes() == before


@pytest.mark.usefixtures("agent")
def test_a_run_that_diverges_ends_well_with_a_finite_score(run_command: RunCommand, home: Path) -> None:
    options = shlex.join([*SMALL, *DIVERGES_IN_EPOCH_2, "data.batch_size=3", "trainer.max_epochs=4"])
    assert run_command(f"train {options}").status == 0
    [path] = (home / "outputs" / "wandb-sweep123").glob("*-*")
    record = read_record(RunFolder(path))
    assert record is not None and record.status == "diverged"
    assert json.loads(wandb_file.read(path).summary["val/perplexity"]) == WORST_SCORE


def test_the_arguments_of_an_agents_run(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = ["optimizer=adam", "run_id=a", "config_hash=b", "variant=c", "trainer.patience=None"]
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    assert agent_arguments(given_back) == given_back
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    own = ["optimizer=adam", "trainer.patience=null"]
    assert agent_arguments(given_back) == [*own, "sweep.name=wandb-s1", "logger.mode=online"]
    for chosen in ("logger.mode=offline", "logger=csv", "sweep.name=mine"):
        added = agent_arguments([chosen])
        assert added[0] == chosen
        key = chosen.partition("=")[0].partition(".")[0]
        assert not any(argument.startswith(key) for argument in added[1:])
    assert agent_arguments(["sweeps=mine"])[-1] == "hydra.mode=RUN"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "logger.mode=online" not in agent_arguments(given_back)
