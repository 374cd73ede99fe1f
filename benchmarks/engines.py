"""What each launcher adds to a run: many runs of one step through the pool, Ray and a Slurm of this machine.

    nice -n 5 python benchmarks/engines.py --runs 300 pool ray submitit_slurm

A run's share is (time of all runs − time of two runs) / (runs − 2). It lists what is left behind:
processes, temporary files and shared memory that were not there before. Slurm needs root, slurm-wlm, munge.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
RUN = (
    "corpus=sample", "data.poems=12", "trainer.max_steps=1", "model.hidden_size=8", "model.embed_size=8",
    "logger=csv", "report=false",
)  # fmt: skip
OPTIONS = {
    "pool": (),
    "ray": ("hydra.launcher.ray.remote.memory=300000000",),
    "submitit_slurm": ("hydra.launcher.mem_gb=1",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("launchers", nargs="+", choices=tuple(OPTIONS))
    parser.add_argument("--runs", type=int, default=300)
    arguments = parser.parse_args()
    print("launcher         two runs    all runs    a run")
    for launcher in arguments.launchers:
        before = traces()
        with engine(launcher) as environment:
            short, long = (train(launcher, count, environment) for count in (2, arguments.runs))
        share = (long - short) / (arguments.runs - 2)
        print(f"{launcher:16} {short:6.1f} s   {long:7.1f} s   {share:.3f} s", flush=True)
        for trace in sorted(traces() - before):
            print(f"  left behind: {trace}")


@contextlib.contextmanager
def engine(launcher: str) -> Iterator[Mapping[str, str]]:
    """Yield the environment of a command that uses the launcher; a Slurm runs inside the `with` block."""
    if launcher != "submitit_slurm":
        yield {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        return
    from tests import slurm_cluster

    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as folder,
        slurm_cluster.started(Path(folder)) as cluster,
    ):
        yield cluster.environment


def train(launcher: str, runs: int, environment: Mapping[str, str]) -> float:
    """Train so many runs and return the seconds of the command."""
    with tempfile.TemporaryDirectory(prefix="home-") as home:
        began = time.monotonic()
        subprocess.run(
            [
                sys.executable, str(REPOSITORY / "src" / "train.py"), "-m", f"seed=range(0,{runs})", *RUN,
                f"hydra/launcher={launcher}", *OPTIONS[launcher],
            ],
            env={**environment, "TANGSWEEP_HOME": home}, check=True, capture_output=True,
        )  # fmt: skip
        seconds = time.monotonic() - began
        records = len(list(Path(home).glob("outputs/*/*/result.json")))
        assert records == runs, f"{records} of {runs} runs have a record"
    return seconds


def traces() -> set[str]:
    """Return this user's processes of Python, Ray and Slurm, and the names in the temporary folders."""
    listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    words = ("python", "ray", "slurm", "munge")
    own = str(os.getpid())
    processes = {
        line.strip()
        for line in listed.splitlines()
        if any(word in line for word in words) and line.split()[0] != own
    }
    folders = (Path(tempfile.gettempdir()), Path("/dev/shm"))
    return processes | {str(path) for folder in folders if folder.is_dir() for path in folder.iterdir()}


if __name__ == "__main__":
    main()
