"""A sweep that is killed again and again, at every point where it hurts, and each time started again alike."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tangsweep import places
from tangsweep.runs import faults
from tangsweep.runs.record import COLUMNS
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
TIMED = {"seconds", "characters_per_second", "chars_per_second"}


def start(home: Path, fault: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TANGSWEEP_HOME": str(home)} | ({faults.VARIABLE: fault} if fault else {})
    command = [sys.executable, str(places.REPOSITORY / "src" / "train.py"), *COMMAND]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=home)


def finished(home: Path) -> dict[str, int]:
    """When each run's record was written."""
    return {p.parent.name: p.stat().st_mtime_ns for p in (home / "outputs").glob("*/*/result.json")}


@pytest.mark.slow
def test_twenty_kills_change_nothing(home: Path) -> None:
    undisturbed, harried = home / "undisturbed", home / "harried"
    for folder in (undisturbed, harried):
        folder.mkdir()
    assert start(undisturbed).returncode == 0
    done: dict[str, int] = {}
    for point in POINTS:
        assert start(harried, point).returncode == -9, f"never came to {point}"
        now = finished(harried)
        assert {name: now[name] for name in done} == done  # nothing is trained to its end twice
        done = now
    last = start(harried)
    assert last.returncode == 0, last.stderr
    pairs = [
        (path, harried / path.relative_to(undisturbed))
        for path in sorted((undisturbed / "outputs" / "optimizer_seed").iterdir())
        if path.is_dir()
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
        pd.read_csv(p / "outputs" / "optimizer_seed" / "comparison.csv") for p in (undisturbed, harried)
    ]
    kept = [column for column in tables[0] if column not in TIMED]
    pd.testing.assert_frame_equal(tables[0][kept], tables[1][kept], check_exact=True)


@pytest.mark.slow
def test_two_at_once_share_the_work(home: Path) -> None:
    command = [
        sys.executable,
        str(places.REPOSITORY / "src" / "train.py"),
        *COMMAND,
        "seed=0,1,2,3",
        "logger=csv",
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
