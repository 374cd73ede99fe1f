"""A sweep killed at random moments: `python benchmarks/faults.py --kills 20`, some minutes.

Each time the whole process group gets SIGKILL after a random time, and the same command is started again.
At the end the comparison must equal that of an undisturbed sweep in all but its timing columns, no run may
have been trained to its end twice, and W&B's files must hold each evaluation once.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
SWEEP = (
    "-m", "optimizer=sgd,adam,rmsprop", "seed=0,1", "corpus=sample", "trainer.max_epochs=4",
    "model.hidden_size=16",
)  # fmt: skip
TIMED = ["seconds", "characters_per_second", "finished", "wandb_id", "wandb_path"]


def begun(home: Path, launcher: str) -> "subprocess.Popen[bytes]":
    """The command, in a process group of its own."""
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "src" / "train.py"), *SWEEP, f"hydra/launcher={launcher}"],
        env={**os.environ, "TANGSWEEP_HOME": str(home)}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def records(home: Path) -> dict[str, int]:
    """When each record was written."""
    return {p.parent.name: p.stat().st_mtime_ns for p in home.glob("outputs/*/*/result.json")}


def comparison(home: Path) -> pd.DataFrame:
    return pd.read_csv(home / "outputs" / "optimizer_seed" / "tables" / "runs.csv").drop(columns=TIMED)


def harried(home: Path, launcher: str, kills: int, whole: float) -> None:
    """Kill `kills` times, then let the sweep end."""
    known: dict[str, int] = {}
    for kill in range(kills):
        process = begun(home, launcher)
        after = random.uniform(0.2, 0.6) * whole
        time.sleep(after)
        ended = process.poll()
        if ended is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        now = records(home)
        assert {name: now[name] for name in known} == known, "a run was trained to its end twice"
        known = now
        late = "" if ended is None else ", too late"
        print(f"kill {kill + 1} after {after:.1f} s: {len(known)} of 6 done{late}", flush=True)
    assert begun(home, launcher).wait() == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--launcher", default="pool", choices=["pool", "basic"])
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        calm, restless = Path(folder) / "calm", Path(folder) / "restless"
        began = time.perf_counter()
        assert begun(calm, arguments.launcher).wait() == 0
        harried(restless, arguments.launcher, arguments.kills, time.perf_counter() - began)
        pd.testing.assert_frame_equal(comparison(calm), comparison(restless), check_exact=True)
        offline = list(restless.glob("outputs/*/*/wandb/offline-run-*"))
        assert len(offline) == 6, "one W&B file a run"
    print(f"{arguments.kills} kills: the comparison is the undisturbed one")


if __name__ == "__main__":
    main()
