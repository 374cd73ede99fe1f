"""Real searches of a few tiny runs: what they decide, leave, refuse and go on with."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tangsweep.files import outputs_folder
from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.search_log import FILE_NAME, Line, read_search
from tangsweep.runs.state import State, run_state
from tangsweep.sweep.search_state import unlike_replay
from tangsweep.training import run as training_run
from tests.conftest import QUIET, CommandRun, RunCommand

TINY = (
    "corpus=sample", "data.poems=12", "model.hidden_size=4", "model.embed_size=4", "trainer.max_epochs=4",
    *QUIET, "report=false", "hydra/launcher=basic", "sweep.name=s",
)  # fmt: skip
SPACE = ("optimizer=adam,sgd", "optimizer.lr=tag(log,interval(1e-3,1))", "search.min_epochs=1")
TIMED = ("seconds", "chars_per_second", "finished", "cost", "git", "overrides", "checksums")
Search = Callable[..., CommandRun]


@pytest.fixture
def search(run_command: RunCommand) -> Search:
    """`search("search.trials=4")` searches two optimizers' rates; `space` and `base` replace the defaults."""

    def run(*more: str, space: tuple[str, ...] = SPACE, base: tuple[str, ...] = TINY) -> CommandRun:
        return run_command(shlex.join(["train", "-m", *base, *space, *more]))

    return run


def lines() -> list[Line]:
    return read_search(outputs_folder() / "s" / FILE_NAME)[1]


def states() -> list[State]:
    return sorted(
        run_state(RunFolder(path.parent)) for path in (outputs_folder() / "s").glob("*/config.yaml")
    )


def records() -> dict[str, Any]:
    paths = (outputs_folder() / "s").glob("*/result.json")
    read = {
        path.parent.name.rpartition("-")[2]: json.loads(path.read_text(encoding="utf-8")) for path in paths
    }
    return {run: {k: v for k, v in r.items() if k not in (*TIMED, "run_id")} for run, r in read.items()}


def said(command: CommandRun) -> str:
    return " ".join(f"{command.out} {command.err}".split())


def test_from_first_proposals_to_confirmed_winners(search: Search, run_command: RunCommand) -> None:
    command = ("search.trials=3", "search.seeds=0,1", "confirm.seeds=5")
    first = search(*command)
    assert first.status == 0, first
    steps = [line.step for line in lines() if line.step]
    assert len(steps) == len(set(steps))
    assert sum(step.rung == 0 for step in steps) == 6
    # Of each optimizer one rises to epoch 3, to the end and to the second seed; two more confirm.
    assert [sum(step.rung == rung for step in steps) for rung in (1, 2, 3)] == [2, 2, 2]
    assert states() == [State.DONE] * 6 + [State.PAUSED] * 4
    assert said(first).count("is the best of 1 trained to the end") == 2
    assert {r["seed"] for r in records().values()} == {0, 1, 5}

    header, written = read_search(outputs_folder() / "s" / FILE_NAME)
    assert header is not None
    assert unlike_replay(header, written, trials=3) == []

    before, file = records(), (outputs_folder() / "s" / FILE_NAME).read_bytes()
    again = search(*command)
    assert again.status == 0
    assert "goes on from" not in again.out
    assert (records(), (outputs_folder() / "s" / FILE_NAME).read_bytes()) == (before, file)

    # A promoted run has the record of the same config that was never paused.
    for path in list((outputs_folder() / "s").glob("*_seed-0-*/result.json"))[:1]:
        overrides = json.loads(path.read_text(encoding="utf-8"))["overrides"]
        own = [o for o in overrides if not o.startswith(("search.", "sweep.", "confirm.", "report", "hydra"))]
        assert run_command(shlex.join(["train", *own, "sweep.name=alone"])).status == 0
        digest = path.parent.name.rpartition("-")[2]
        [alone] = (outputs_folder() / "alone").glob(f"*-{digest}/result.json")
        values = json.loads(alone.read_text(encoding="utf-8"))
        assert {k: v for k, v in values.items() if k not in (*TIMED, "run_id")} == before[digest]


@pytest.mark.slow
def test_enlarged_and_taken_up(search: Search) -> None:
    """More trials leave the first ones as they were; rerun=paused brings every run to its end."""
    search("search.trials=2")
    before = lines()
    assert search("search.trials=3").status == 0
    assert lines()[: len(before)] == before
    assert sum(line.setting is not None for line in lines()) == 6
    assert State.PAUSED in states()
    assert search("search.trials=3", "rerun=paused").status == 0
    assert states() == [State.DONE] * 6


@pytest.mark.slow
def test_known_settings_come_first_and_runs_that_exist_cost_nothing(search: Search) -> None:
    grid = search(space=("optimizer=adam", "optimizer.lr=0.02,0.2"))
    assert grid.status == 0
    space = ("optimizer=adam", *SPACE[1:])
    command = search("search.trials=3", "search.known=['optimizer.lr=2e-2','optimizer.lr=0.2']", space=space)
    assert command.status == 0, command
    assert [line.setting.parameters["optimizer.lr"] for line in lines() if line.setting][:2] == [
        "0.02",
        "0.2",
    ]
    assert "lr-0.02" not in command.out.split("a search of")[1].partition("settings tried")[0].replace(
        "best so far", ""
    )
    assert len(states()) == 3


def test_the_same_setting_twice_is_one_run(search: Search) -> None:
    space = ("optimizer=adam", "optimizer.lr=choice(0.1,0.01)")
    assert search("search.trials=5", "search.eta=1", space=space).status == 0
    assert sum(line.setting is not None for line in lines()) == 5
    assert states() == [State.DONE] * 2


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_without_pruning_every_run_ends(search: Search, sampler: str) -> None:
    assert search("search.trials=2", "search.eta=1", f"search.sampler={sampler}", space=SPACE[:2]).status == 0
    assert states() == [State.DONE] * 4


def test_a_setting_that_diverges_is_never_promoted(search: Search) -> None:
    space = ("optimizer=sgd", "optimizer.lr=choice(1e37,0.1,0.2)")
    base = (*TINY, "trainer.gradient_clip_val=null")
    assert search("search.trials=6", "search.min_epochs=2", space=space, base=base).status == 0
    values = [result.value for line in lines() for result in line.results]
    assert float("inf") in values
    assert State.DIVERGED in states()
    assert State.DONE in states()


def test_the_plan_names_space_rungs_and_cost(search: Search) -> None:
    command = search("search.trials=9", "plan=true", "confirm.seeds=5,6")
    assert command.status == 0
    assert "optimizer.lr from 0.001 to 1 (log)" in said(command)
    for part in ("9 × 1 epoch", "3 × 3 epochs", "1 × to the end, seed 0"):
        assert part in said(command).replace("→ ", "")
    assert "18 settings by tpe" in said(command)
    assert "then 4 runs that confirm" in said(command)
    assert not (outputs_folder() / "s").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("search.trials=2", "optimizer.lr=interval(1,0.5)"), "the first number must be below the second"),
        (("search.trials=2", "optimizer.lr=interval(-1,0.5)"), "optimizer.lr=-1.0 is invalid"),
        (("search.trials=2", "search.sampler=best"), "search.sampler=best is invalid"),
        (("search.trials=2", "search.min_epochs=4"), "must be less than a run's 4 epochs"),
        (("search.trials=2", "rerun=all"), "rerun=all is not for a search"),
        (("search.trials=2", "confirm.seeds=0"), "confirm.seeds=0 is among the seeds that choose"),
        (("search.trials=2", "seed=0,1"), "search.seeds=0,1,2 names the seeds"),
        (("search.trials=2", "search.known=['optimizer.lr=9']"), "fits no value of the space"),
        (("search.trials=0",), "search.trials=0 is invalid"),
        ((), "is a continuous range: name the values to try, or say how many with search.trials=40"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(search: Search, more: tuple[str, ...], message: str) -> None:
    keys = {text.partition("=")[0] for text in more}
    command = search(*more, space=tuple(text for text in SPACE if text.partition("=")[0] not in keys))
    assert command.status == 2
    assert message in " ".join(command.err.split())
    assert len(command.err.strip().splitlines()) == 1
    assert not (outputs_folder() / "s").exists()


def test_a_changed_space_is_another_search(search: Search) -> None:
    space = ("optimizer=adam", *SPACE[1:])
    search("search.trials=1", space=space)
    before = (outputs_folder() / "s" / FILE_NAME).read_bytes()
    wider = (space[0], "optimizer.lr=tag(log,interval(1e-4,1))", space[2])
    for command in (
        search("search.trials=1", space=wider),
        search("search.trials=1", "data.min_freq=2", space=space),
    ):
        assert command.status == 2
        assert "is of another search, whose" in said(command)
        assert "sweep.name" in command.err
    assert (outputs_folder() / "s" / FILE_NAME).read_bytes() == before


def test_without_optuna_one_line_says_what_to_install(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    command = search("search.trials=2")
    assert (command.status, "pip install -c constraints.txt -e '.[search]'" in command.err) == (2, True)
    assert search("search.trials=2", "search.sampler=qmc", "plan=true").status == 0


@pytest.mark.slow
def test_grids_of_a_file_are_branches(own_sweeps: Path, search: Search) -> None:
    (own_sweeps / "mine.yaml").write_text(
        "hydra: {sweeper: {grids: [\n"
        "  {optimizer: sgd, optimizer.lr: 'tag(log, interval(0.01, 1))', optimizer.weight_decay: 'interval(0, 0.1)'},\n"
        "  {optimizer: adam, optimizer.lr: 'tag(log, interval(0.001, 0.1))'}]}}\n"
        "search: {trials: 2, eta: 1}\n",
        encoding="utf-8",
    )
    base = tuple(text for text in TINY if text != "sweep.name=s")
    assert search("sweeps=mine", "sweep.name=s", space=(), base=base).status == 0
    keys = [sorted(line.setting.parameters) for line in lines() if line.setting]
    assert keys == [["optimizer.lr", "optimizer.weight_decay"], ["optimizer.lr"]] * 2
    assert search("sweeps=mine", "sweep.name=t", "optimizer=adam", space=(), base=base).status == 0
    header, _ = read_search(outputs_folder() / "t" / FILE_NAME)
    assert header is not None
    assert [arm["name"] for arm in header["space"]] == ["all"]  # type: ignore[attr-defined]


def test_two_commands_do_not_search_at_once(search: Search) -> None:
    with lock.hold_lock(RunFolder(outputs_folder() / "s")):
        command = search("search.trials=1")
    assert command.status == 2
    assert "is searched by process" in said(command)
    assert len(command.err.strip().splitlines()) == 1
    assert not (outputs_folder() / "s" / FILE_NAME).exists()


@pytest.mark.slow
def test_a_run_that_failed_is_tried_again_by_the_same_command(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the disk was full")

    command = ("search.trials=2", "search.eta=1")
    space = ("optimizer=adam", SPACE[1])
    with monkeypatch.context() as patched:
        patched.setattr(training_run, "record_final_scores", broken)
        assert search(*command, space=space).status == 1
    assert states() == [State.FAILED] * 2
    assert [result.value for line in lines() for result in line.results] == [None, None]
    before = lines()
    assert search(*command, space=space).status == 0
    assert states() == [State.DONE] * 2
    assert lines()[: len(before)] == before
    assert all(result.value for result in lines()[-1].results)


@pytest.mark.slow
def test_another_launcher_has_so_many_runs_at_a_time(search: Search) -> None:
    pytest.importorskip("submitit")
    base = (*(text for text in TINY if text != "hydra/launcher=basic"), "hydra/launcher=submitit_local")
    command = search("search.trials=3", "search.at_once=1", space=("optimizer=adam", *SPACE[1:]), base=base)
    assert command.status == 0, command
    decided = [len(line.results) for line in lines() if line.step]
    assert decided[:3] == [0, 1, 1]  # each result is known before the next decision
    assert states() == [State.DONE, State.PAUSED, State.PAUSED]
