"""W&B's own commands against a server on loopback: `wandb sweep` makes the sweep, `wandb agent` trains its runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tangsweep.files import REPOSITORY
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record_file import read_record
from tangsweep.runs.state import State, run_state
from tests.wandb_server import ENTITY, KEY, PROJECT, SWEEP, WandbServer

pytestmark = pytest.mark.slow

SMALL = (
    "corpus=sample",
    "data.poems=24",
    "model.hidden_size=8",
    "model.embed_size=8",
    "trainer.max_epochs=2",
)
SPACE = ("-m", "optimizer=sgd,adam", "optimizer.lr=tag(log,interval(0.001,1))", "search.trials=4")
PROPOSALS = [
    {"optimizer": "sgd", "optimizer.lr": 0.5},
    {"optimizer": "sgd", "optimizer.lr": 0.25},
    {"optimizer": "sgd", "optimizer.lr": 0.5},  # as the first: it is not trained again
    {"optimizer": "sgd", "optimizer.lr": 0.125, "trainer.max_epochs": 100_000},  # stopped by the server
]


def run(home: Path, server: WandbServer, *command: str) -> str:
    environment = {
        **os.environ, "TANGSWEEP_HOME": str(home), "HOME": str(home), "WANDB_BASE_URL": server.address,
        "WANDB_API_KEY": KEY, "WANDB_DIR": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    environment.pop("WANDB_MODE", None)
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_an_agent_trains_what_a_server_proposes(home: Path) -> None:
    with WandbServer(PROPOSALS, to_stop=frozenset({"run4"})).running() as server:
        definitions = home / "definitions"
        run(home, server, "python", "src/train.py", *SPACE, *SMALL, f"wandb_sweep={definitions}")
        run(home, server, "wandb", "sweep", "--project", PROJECT, str(definitions / "optimizer-sgd.yaml"))
        assert yaml.safe_load(server.definition)["metric"] == {"name": "val/perplexity", "goal": "minimize"}
        output = run(home, server, "wandb", "agent", f"{ENTITY}/{PROJECT}/{SWEEP}")
    assert "Traceback" not in output
    sweep = home / "outputs" / f"wandb-{SWEEP}"
    folders = {}
    for path in sweep.glob("*/config.yaml"):
        folders[yaml.safe_load(path.read_text(encoding="utf-8"))["optimizer"]["lr"]] = RunFolder(path.parent)
    assert set(folders) == {0.5, 0.25, 0.125}
    for name, rate in (("run1", 0.5), ("run2", 0.25), ("run3", 0.5)):
        record, received = read_record(folders[rate]), server.runs[name]
        assert record is not None and record.dev is not None
        assert received.is_finished
        assert received.group == sweep.name
        assert received.config["config_hash"] == record.config_hash
        assert received.config["optimizer.lr"] == rate
        assert received.summary["val/perplexity"] == record.dev.perplexity  # the best one
        scores = [row["val/perplexity"] for row in received.history if "val/perplexity" in row]
        assert len(scores) == 3  # before training and after each epoch
        assert min(scores[1:]) == pytest.approx(record.dev.perplexity)
    first = read_record(folders[0.5])
    assert first is not None and first.wandb is not None
    assert first.wandb.id == "run1"  # run3 took over its scores without training
    assert any("poems" in file for file in server.runs["run1"].files)
    assert run_state(folders[0.125]) is State.INTERRUPTED
    assert folders[0.125].last.exists()
    assert folders[0.125].metrics.read_text(encoding="utf-8").count("\n") > 3
