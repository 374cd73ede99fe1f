"""The main job itself, at its real sizes, for a few epochs: six optimizers, six records, one comparison."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tangsweep.files import REPOSITORY
from tests.conftest import CORPUS_AT_HAND
from tests.training import wandb_file

OPTIMIZERS = ("sgd", "momentum", "adam", "adagrad", "adadelta", "rmsprop")


@pytest.mark.slow
def test_the_default_sweep(home: Path) -> None:
    corpus = {"TANGSWEEP_DATA": CORPUS_AT_HAND} if CORPUS_AT_HAND else {}
    choice = [] if CORPUS_AT_HAND else ["corpus=sample"]
    done = subprocess.run(
        [
            sys.executable,
            str(REPOSITORY / "src" / "train.py"),
            "-m",
            f"optimizer={','.join(OPTIMIZERS)}",
            "trainer.max_epochs=3",
            *choice,
        ],
        env={**os.environ, **corpus, "TANGSWEEP_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folder = home / "outputs" / "optimizer"
    runs = [path.parent for path in folder.glob("*/config.yaml")]
    records = [json.loads((run / "result.json").read_text(encoding="utf-8")) for run in runs]
    assert {r["overrides"][0] for r in records} == {f"optimizer={name}" for name in OPTIMIZERS}
    assert {r["status"] for r in records} == {"done"}
    assert len({r["corpus"]["split_fingerprint"] for r in records}) == 1
    assert len({wandb_file.read(run).id for run in runs}) == 6
    table = pd.read_csv(folder / "tables" / "ranking.csv")
    assert sorted(table["group"]) == sorted(OPTIMIZERS)
    assert table["mean"].is_monotonic_increasing
