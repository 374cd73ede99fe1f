"""Time what a sweep costs beside training: `python benchmarks/sweep_overhead.py`, some minutes.

It times 200 runs of one step, one after another and on the worker pool; a first plan; and 1,000 finished
runs skipped and planned again. Everything is in a temporary TANGSWEEP_HOME and on the bundled sample, and
each run composes one line of poetry.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ONE_STEP = (
    "corpus=sample", "data.poems=12", "trainer.max_steps=1", "model.hidden_size=8", "model.embed_size=8",
    "poems.starts='山'", "poems.lines=1",
)  # fmt: skip


def time_command(home: Path, *overrides: str) -> float:
    """Return the seconds of one command, from its start to its end."""
    command = [sys.executable, str(REPOSITORY / "src" / "train.py"), "-m", *ONE_STEP, *overrides]
    start = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "TANGSWEEP_HOME": str(home)}, capture_output=True)
    return time.perf_counter() - start


def write_finished_runs(home: Path, runs: int) -> None:
    """Write `runs` finished runs: copies of a trained run's record in folders of their own names."""
    process = subprocess.run(
        [sys.executable, "-c", PRINT_NAMES, *ONE_STEP], check=True, capture_output=True, text=True,
        env={**os.environ, "TANGSWEEP_HOME": str(home), "RUNS": str(runs)}, cwd=REPOSITORY,
    )  # fmt: skip
    [sweep] = (home / "outputs").iterdir()
    trained = next(path for path in sweep.iterdir() if (path / "result.json").exists())
    record = (trained / "result.json").read_text(encoding="utf-8")
    for name in json.loads(process.stdout):
        (sweep / name).mkdir(exist_ok=True)
        (sweep / name / "result.json").write_text(record, encoding="utf-8")
        (sweep / name / ".lock").touch()


PRINT_NAMES = """
import json, os, sys
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from tangsweep.files import REPOSITORY
from tangsweep.tasks.registry import parse_config
from tangsweep.training.prepare import prepare
with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
    config = OmegaConf.to_container(compose("train", overrides=sys.argv[1:]), resolve=True)
names = []
for seed in range(int(os.environ["RUNS"])):
    sweep = config["sweep"] | {"name": "seed", "varied": f"seed-{seed}"}
    names.append(prepare(parse_config(config | {"seed": seed, "sweep": sweep}), []).name)
print(json.dumps(names))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="of one step")
    parser.add_argument("--finished", type=int, default=1000, help="runs that are skipped")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        seeds = f"seed=range({arguments.runs})"
        alone = time_command(home / "alone", "seed=0", "hydra/launcher=basic")
        serial = time_command(home / "serial", seeds, "hydra/launcher=basic")
        pool = time_command(home / "pool", seeds)
        per_run = (serial - alone) / (arguments.runs - 1)
        print(
            f"a run of one step, one after another: {per_run:.3f} s   ({arguments.runs} runs, {serial:.1f} s)"
        )
        print(f"the same on the worker pool:          {(pool - alone) / (arguments.runs - 1):.3f} s")
        first = time_command(home / "plan", seeds, "plan=true")
        single = time_command(home / "plan1", "seed=0", "plan=true")
        print(f"a first plan: {1000 * (first - single) / (arguments.runs - 1):.0f} ms a run")
        finished = home / "finished"
        time_command(finished, "seed=0,1", "hydra/launcher=basic")
        write_finished_runs(finished, arguments.finished)
        seeds = f"seed=range({arguments.finished})"
        time_command(finished, seeds)
        planned = time_command(finished, seeds, "plan=true")
        print(f"{arguments.finished} finished runs planned again: {planned:.1f} s")
        print(f"{arguments.finished} finished runs skipped again: {time_command(finished, seeds):.1f} s")


if __name__ == "__main__":
    main()
