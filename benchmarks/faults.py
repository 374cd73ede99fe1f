"""Kill a sweep at random moments and continue it: `python benchmarks/faults.py --kills 20`, some minutes.

After a random time the whole process group gets SIGKILL, and the same command is started again. At the end
the table of runs must equal that of an undisturbed sweep in all columns but the times. No run may have been
trained to its end twice, and each run must have one W&B file.
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
DIFFERING = ["seconds", "characters_per_second", "finished", "wandb_id", "wandb_path"]


def start_sweep(home: Path, launcher: str) -> "subprocess.Popen[bytes]":
    """Start the command in a process group of its own."""
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "src" / "train.py"), *SWEEP, f"hydra/launcher={launcher}"],
        env={**os.environ, "TANGSWEEP_HOME": str(home)}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def record_times(home: Path) -> dict[str, int]:
    """Return the time at which each run's record was written, in nanoseconds."""
    return {p.parent.name: p.stat().st_mtime_ns for p in home.glob("outputs/*/*/result.json")}


def table_of_runs(home: Path) -> pd.DataFrame:
    return pd.read_csv(home / "outputs" / "optimizer_seed" / "tables" / "runs.csv").drop(columns=DIFFERING)


def run_with_kills(home: Path, launcher: str, kills: int, seconds: float) -> None:
    """Kill the sweep `kills` times, then let it end; undisturbed it takes `seconds`."""
    times: dict[str, int] = {}
    for kill in range(kills):
        process = start_sweep(home, launcher)
        delay = random.uniform(0.2, 0.6) * seconds
        time.sleep(delay)
        status = process.poll()
        if status is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        times_now = record_times(home)
        assert {name: times_now[name] for name in times} == times, "a run was trained to its end twice"
        times = times_now
        late = "" if status is None else ", too late"
        print(f"kill {kill + 1} after {delay:.1f} s: {len(times)} of 6 done{late}", flush=True)
    assert start_sweep(home, launcher).wait() == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--launcher", default="pool", choices=["pool", "basic"])
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
        start = time.perf_counter()
        assert start_sweep(undisturbed, arguments.launcher).wait() == 0
        run_with_kills(killed, arguments.launcher, arguments.kills, time.perf_counter() - start)
        pd.testing.assert_frame_equal(table_of_runs(undisturbed), table_of_runs(killed), check_exact=True)
        offline = list(killed.glob("outputs/*/*/wandb/offline-run-*"))
        assert len(offline) == 6, "one W&B file a run"
    print(f"{arguments.kills} kills: the table of runs equals the undisturbed one")


if __name__ == "__main__":
    main()
