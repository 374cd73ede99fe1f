"""A sweep that is killed again and again, at every point where it hurts, and each time started again alike."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tangsweep import fault_points
from tangsweep.files import REPOSITORY
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import COLUMNS, MetricsFile
from tangsweep.runs.state import State, run_state
from tests.training import wandb_file

COMMAND = (
    "-m", "optimizer=sgd,adam,rmsprop", "seed=0,1", "corpus=sample", "data.poems=24", "data.batch_size=4",
    "trainer.max_epochs=3", "trainer.log_every=2", "model.hidden_size=8", "poems.starts='山'",
)  # fmt: skip
POINTS = [
    "step@1", "step@3", "writing config.yaml@1", "wrote config.yaml@1", "writing wandb-id.txt@1",
    "step@5", "writing best.ckpt@1", "wrote best.ckpt@1", "writing last.ckpt@1", "wrote last.ckpt@1",
    "writing last.ckpt@2", "step@7", "writing poems.txt@1", "wrote poems.txt@1", "finishing W&B@1",
    "finished W&B@1", "writing result.json@1", "wrote result.json@1", "wrote last.ckpt@3", "step@9",
]  # fmt: skip
TIMED = {"seconds", "characters_per_second", "chars_per_second", "finished", "cost", "checksums"}


# With the pool every run that comes to the point is killed, twice a command.
LAUNCHED = {"basic": POINTS, "pool": ["step@5", "writing last.ckpt@2", "wrote result.json@1"]}


def start(home: Path, launcher: str, fault: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TANGSWEEP_HOME": str(home)} | (
        {fault_points.VARIABLE: fault} if fault else {}
    )
    command = [sys.executable, str(REPOSITORY / "src" / "train.py"), *COMMAND]
    return subprocess.run(
        [*command, f"hydra/launcher={launcher}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
    )


def finished(home: Path) -> dict[str, int]:
    """When each run's record was written."""
    return {p.parent.name: p.stat().st_mtime_ns for p in (home / "outputs").glob("*/*/result.json")}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHED)
def test_kills_at_every_point_change_nothing(home: Path, launcher: str) -> None:
    undisturbed, harried = home / "undisturbed", home / "harried"
    for folder in (undisturbed, harried):
        folder.mkdir()
    assert start(undisturbed, launcher).returncode == 0
    done: dict[str, int] = {}
    for point in LAUNCHED[launcher]:
        killed = start(harried, launcher, point)
        assert killed.returncode == -9 or "was ended by SIGKILL" in killed.stdout, f"never came to {point}"
        now = finished(harried)
        assert {name: now[name] for name in done} == done  # nothing is trained to its end twice
        done = now
    last = start(harried, launcher)
    assert last.returncode == 0, last.stderr
    pairs = [
        (path, harried / path.relative_to(undisturbed))
        for path in sorted((undisturbed / "outputs" / "optimizer_seed").iterdir())
        if (path / "config.yaml").exists()
    ]
    assert len(pairs) == 6
    for calm, killed in pairs:
        one, other = (json.loads((p / "result.json").read_text(encoding="utf-8")) for p in (calm, killed))
        for key in one.keys() - TIMED - {"wandb"}:
            assert one[key] == other[key], key
        rows = [pd.read_csv(p / "metrics.csv") for p in (calm, killed)]
        untimed = [column for column in COLUMNS if column not in TIMED]
        pd.testing.assert_frame_equal(rows[0][untimed], rows[1][untimed], check_exact=True)
        assert (calm / "poems.txt").read_text() == (killed / "poems.txt").read_text()
        offline = wandb_file.read(killed)  # one file, the others lie in superseded/
        assert offline.id == other["wandb"]["id"]
        assert offline.exit_codes == [0]
        logged = [json.loads(row["val/loss"]) for row in offline.history if "val/loss" in row]
        assert logged == pytest.approx(rows[1]["val/loss"].dropna().tolist())
    tables = [
        pd.read_csv(p / "outputs" / "optimizer_seed" / "tables" / "runs.csv") for p in (undisturbed, harried)
    ]
    kept = [column for column in tables[0] if column not in TIMED and not column.startswith("wandb")]
    pd.testing.assert_frame_equal(tables[0][kept], tables[1][kept], check_exact=True)


@pytest.mark.slow
def test_two_at_once_share_the_work(home: Path) -> None:
    command = [
        sys.executable,
        str(REPOSITORY / "src" / "train.py"),
        *COMMAND,
        "seed=0,1,2,3",
        "logger=csv",
        "trainer.max_epochs=60",  # so long that the second command comes before the first is done
    ]
    environment = {**os.environ, "TANGSWEEP_HOME": str(home)}
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    records = [json.loads(p.read_text()) for p in (home / "outputs").glob("*/*/result.json")]
    assert len(records) == 12
    assert {r["status"] for r in records} == {"done"}
    trained = [out.count(" at epoch ") for out, _ in outputs]  # a line a run; the table has none
    assert sum(trained) == 12
    assert min(trained) >= 1
    assert not list((home / "outputs").glob("*/*.replaced-*"))


@pytest.mark.slow
def test_a_run_that_raises_one_that_diverges_and_one_that_is_killed(home: Path) -> None:
    targets = ["torch.optim.SGD", "torch.optim.Adam", *(f"tests.trouble.{name}" for name in TROUBLE)]
    command = [sys.executable, str(REPOSITORY / "src" / "train.py"), "-m", "optimizer=sgd"]
    small = [*COMMAND[3:], "logger=csv", "optimizer.lr=0.1"]
    targets.append("torch.optim.Adagrad")
    done = subprocess.run(
        [*command, f"optimizer._target_={','.join(targets)}", *small, "trainer.max_epochs=2"],
        env={**os.environ, "TANGSWEEP_HOME": str(home), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
    )
    assert done.returncode == 1
    [sweep] = (home / "outputs").iterdir()
    folders = {
        path.name.rpartition("-")[0].rpartition(".")[2]: path
        for path in sweep.iterdir()
        if (path / "config.yaml").exists()
    }
    states = {name: run_state(RunFolder(path)).value for name, path in folders.items()}
    assert states == {"SGD": "done", "Adam": "done", "Adagrad": "done"} | TROUBLE
    failed = [name for name in TROUBLE if TROUBLE[name] == "failed"]
    for name in failed:
        assert f"{folders[name].name}  FAILED  " in done.stdout  # when it happens
        assert "Traceback" in (folders[name] / "train.log").read_text(encoding="utf-8")
    records = {n: json.loads((folders[n] / "result.json").read_text()) for n in (*failed, "Diverges")}
    assert records["Raises"]["error"] == "ZeroDivisionError('on purpose')"
    assert records["RunsOutOfMemory"]["error"].startswith("out of memory: lower data.batch_size")
    assert records["Diverges"]["diverged_step"] == 6
    killed = [line for line in done.stdout.splitlines() if "its worker was ended by SIGKILL" in line]
    assert [("it goes on in another" in line, "not tried again" in line) for line in killed[:2]] == [
        (True, False),
        (False, True),
    ]
    table = pd.read_csv(sweep / "tables" / "runs.csv")
    assert (
        dict(
            zip(
                table["folder"].map(lambda f: f.rpartition("-")[0].rpartition(".")[2]),
                table["status"],
                strict=True,
            )
        )
        == states
    )
    assert "4 of 7 runs of this command ended, 1 crashed, 2 failed: the same command continues" in done.stdout


TROUBLE = {"Raises": "failed", "Diverges": "diverged", "IsKilled": "crashed", "RunsOutOfMemory": "failed"}


@pytest.mark.slow
def test_when_the_command_is_killed_its_workers_die_and_it_continues(home: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "src" / "train.py"), *COMMAND, "logger=csv"]
    environment = {**os.environ, "TANGSWEEP_HOME": str(home)}
    sweep = home / "outputs" / "optimizer_seed"
    with subprocess.Popen(
        [*command, "trainer.max_epochs=100000", "hydra.launcher.workers=2"],
        env=environment,
        stdout=subprocess.PIPE,
    ) as process:
        while process.poll() is None and len(list(sweep.glob("*/checkpoints/last.ckpt"))) < 2:
            os.sched_yield()
        process.kill()
    folders = [RunFolder(path.parent) for path in sweep.glob("*/config.yaml")]
    while any(run_state(folder) is State.RUNNING for folder in folders):
        os.sched_yield()  # the kernel takes the locks from workers that have seen their parent die
    assert [run_state(folder) for folder in folders] == [State.CRASHED, State.CRASHED]
    steps = [_last_step(folder) for folder in folders]
    done = subprocess.run(
        [*command, "trainer.max_epochs=100000", "fail_fast=true", "plan=true"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("crashed") == 2
    assert [_last_step(folder) for folder in folders] == steps  # a plan trains nothing, and nobody else does


def _last_step(folder: RunFolder) -> int:
    return MetricsFile(folder.metrics).rows()[-1]["step"]
