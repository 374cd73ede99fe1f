"""Time the default sweep on the worker pool and one run after another: `python benchmarks/parallel.py`.

Whole commands are timed, from start to end and in turn, each with a TANGSWEEP_HOME of its own. Both must
give the same perplexities.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
SWEEP = ("-m", "optimizer=sgd,momentum,adam,adagrad,adadelta,rmsprop")


def time_sweep(home: Path, launcher: str, *overrides: str) -> tuple[float, list[float]]:
    """Return the seconds that one sweep takes, and its development perplexities in order."""
    command = [sys.executable, str(REPOSITORY / "src" / "train.py"), *SWEEP, *overrides]
    home.mkdir()
    start = time.perf_counter()
    subprocess.run(
        [*command, f"hydra/launcher={launcher}"],
        env={**os.environ, "TANGSWEEP_HOME": str(home)}, check=True, capture_output=True,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    runs = pd.read_csv(home / "outputs" / "optimizer" / "tables" / "runs.csv")
    return seconds, runs["dev_perplexity"].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("overrides", nargs="*", default=["trainer.max_epochs=10"])
    arguments = parser.parse_args()
    ratios = []
    for pair in range(arguments.pairs):
        with tempfile.TemporaryDirectory() as folder:
            serial, serial_scores = time_sweep(Path(folder) / "serial", "basic", *arguments.overrides)
            pool, pool_scores = time_sweep(Path(folder) / "pool", "pool", *arguments.overrides)
        assert serial_scores == pool_scores, "the perplexities differ"
        ratios.append(pool / serial)
        print(
            f"{pair + 1}: one after another {serial:.1f} s, pool {pool:.1f} s, ratio {ratios[-1]:.2f}",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
