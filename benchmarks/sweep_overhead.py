"""What a sweep costs beside training: `python benchmarks/sweep_overhead.py`, some minutes.

200 runs of one step, one after another and on the worker pool; a first plan; and 1,000 known runs skipped
and planned again. In a folder of its own, on the bundled sample; one line of poetry a run.
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


def timed(home: Path, *overrides: str) -> float:
    """Seconds of one command, from its start to its end."""
    command = [sys.executable, str(REPOSITORY / "src" / "train.py"), "-m", *ONE_STEP, *overrides]
    began = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "TANGSWEEP_HOME": str(home)}, capture_output=True)
    return time.perf_counter() - began


def copied(home: Path, runs: int) -> None:
    """Records of `runs` runs that are done, made from one that was trained: copies under their own names."""
    planned = subprocess.run(
        [sys.executable, "-c", NAMES, *ONE_STEP], check=True, capture_output=True, text=True,
        env={**os.environ, "TANGSWEEP_HOME": str(home), "RUNS": str(runs)}, cwd=REPOSITORY,
    )  # fmt: skip
    [sweep] = (home / "outputs").iterdir()
    done = next(path for path in sweep.iterdir() if (path / "result.json").exists())
    record = (done / "result.json").read_text(encoding="utf-8")
    for name in json.loads(planned.stdout):
        (sweep / name).mkdir(exist_ok=True)
        (sweep / name / "result.json").write_text(record, encoding="utf-8")
        (sweep / name / ".lock").touch()


NAMES = """
import json, os, sys
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from tangsweep import places
from tangsweep.training.prepare import prepare
with initialize_config_dir(str(places.REPOSITORY / "conf"), version_base="1.3"):
    config = OmegaConf.to_container(compose("train", overrides=sys.argv[1:]), resolve=True)
names = []
for seed in range(int(os.environ["RUNS"])):
    own = config | {"seed": seed, "sweep": config["sweep"] | {"name": "seed", "varied": f"seed-{seed}"}}
    names.append(prepare(own, []).name)
print(json.dumps(names))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="of one step")
    parser.add_argument("--known", type=int, default=1000, help="runs that are done")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        seeds = f"seed=range({arguments.runs})"
        alone = timed(home / "alone", "seed=0", "hydra/launcher=basic")
        serial = timed(home / "serial", seeds, "hydra/launcher=basic")
        pool = timed(home / "pool", seeds)
        per_run = (serial - alone) / (arguments.runs - 1)
        print(
            f"a run of one step, one after another: {per_run:.3f} s   ({arguments.runs} runs, {serial:.1f} s)"
        )
        print(f"the same on the worker pool:          {(pool - alone) / (arguments.runs - 1):.3f} s")
        first = timed(home / "plan", seeds, "plan=true")
        single = timed(home / "plan1", "seed=0", "plan=true")
        print(f"a first plan: {1000 * (first - single) / (arguments.runs - 1):.0f} ms a run")
        known = home / "known"
        timed(known, "seed=0,1", "hydra/launcher=basic")
        copied(known, arguments.known)
        seeds = f"seed=range({arguments.known})"
        timed(known, seeds)
        print(f"{arguments.known} known runs planned again: {timed(known, seeds, 'plan=true'):.1f} s")
        print(f"{arguments.known} known runs skipped again: {timed(known, seeds):.1f} s")


if __name__ == "__main__":
    main()
