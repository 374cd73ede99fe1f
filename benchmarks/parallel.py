"""The default sweep on the worker pool against one run after another: `python benchmarks/parallel.py`.

Whole commands, from start to end, in turn; every sweep in a folder of its own. Perplexities must agree.
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


def swept(home: Path, launcher: str, *overrides: str) -> tuple[float, list[float]]:
    """Seconds of one sweep, and its development perplexities in order."""
    command = [sys.executable, str(REPOSITORY / "src" / "train.py"), *SWEEP, *overrides]
    home.mkdir()
    began = time.perf_counter()
    subprocess.run(
        [*command, f"hydra/launcher={launcher}"],
        env={**os.environ, "TANGSWEEP_HOME": str(home)}, check=True, capture_output=True,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    return seconds, pd.read_csv(home / "outputs" / "optimizer" / "tables" / "runs.csv")[
        "dev_perplexity"
    ].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("overrides", nargs="*", default=["trainer.max_epochs=10"])
    arguments = parser.parse_args()
    ratios = []
    for pair in range(arguments.pairs):
        with tempfile.TemporaryDirectory() as folder:
            serial, one = swept(Path(folder) / "serial", "basic", *arguments.overrides)
            pool, other = swept(Path(folder) / "pool", "pool", *arguments.overrides)
        assert one == other, "the two must find the same"
        ratios.append(pool / serial)
        print(
            f"{pair + 1}: one after another {serial:.1f} s, pool {pool:.1f} s, ratio {ratios[-1]:.2f}",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
