"""Say where the time of a short sweep goes: `python benchmarks/startup.py`, half a minute.

It runs the README's sweep for one epoch three times, the first time to fill caches, and prints the parts of
the median command: when each began and how long it took, in the process that did it. Parts of different
processes overlap. The corpus is the one that TANGSWEEP_DATA names, else the bundled sample.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
NAMES = "sgd,momentum,adam,adagrad,adadelta,rmsprop"
# Module → functions, in the order of a command; a class's methods with a dot.
TIMED = {
    "hydra.main": [],
    "tangsweep.sweep.jobs": ["compose_jobs"],
    "tangsweep.sweep.run_sweep": ["checked_configs", "prepare_runs", "close_with_report"],
    "tangsweep.sweep.phase": ["prepare_training", "Phase.train"],
    "tangsweep.sweep.preload": [],
    "tangsweep.training.job": ["prepare"],
    "tangsweep.training.run": ["_train", "_fit", "record_final_scores", "measure_cost", "write_record"],
    "tangsweep.training.assemble": ["build_mirrors", "build_module"],
    "tangsweep.runs.mirror": ["Mirrors.finish"],
    "tangsweep.tasks.poems": ["PoemTask.write_outputs"],
    "tangsweep.reporting.build": ["read_sweeps", "build_report", "write_report"],
    "tangsweep.reporting.blocks": ["Chart.from_altair"],
}
# Is imported by every Python process of the command: writes down when modules and functions began and ended.
HOOKS = """
import atexit, functools, importlib.abc, importlib.machinery, json, os, sys, time

TIMED = json.loads(os.environ["STARTUP_TIMED"])
LOG = open(os.environ["STARTUP_LOG"], "a", buffering=1)


def note(name, start):
    LOG.write(json.dumps([os.getpid(), name, start, time.time()]) + "\\n")


def timed(name, function):
    @functools.wraps(function)
    def wrapper(*arguments, **options):
        start = time.time()
        try:
            return function(*arguments, **options)
        finally:
            note(name, start)
    return wrapper


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in TIMED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        real = spec.loader.exec_module

        def exec_module(module):
            start = time.time()
            real(module)
            note("import " + name, start)
            for function in TIMED[name]:
                owner = functools.reduce(getattr, function.split(".")[:-1], module)
                last = function.split(".")[-1]
                found = vars(owner)[last]
                if isinstance(found, (classmethod, staticmethod)):
                    setattr(owner, last, type(found)(timed(function, found.__func__)))
                else:
                    setattr(owner, last, timed(function, found))

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
note("python", time.time())
atexit.register(lambda: note("exit", time.time()))
"""


class Part(NamedTuple):
    """A function or an import of one process, in seconds since the command began."""

    process: int
    name: str
    start: float
    end: float


def run_command(home: str, epochs: int, overrides: list[str]) -> tuple[float, list[Part]]:
    """Return the seconds of the command, and its parts."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(HOOKS, encoding="utf-8")
        log = Path(folder) / "log"
        command = [sys.executable, str(REPOSITORY / "src" / "train.py"), "-m", f"optimizer={NAMES}"]
        environment = {
            **os.environ,
            "TANGSWEEP_HOME": home,
            "PYTHONPATH": os.pathsep.join([folder, str(REPOSITORY / "src")]),
            "STARTUP_TIMED": json.dumps(TIMED),
            "STARTUP_LOG": str(log),
        }
        begin = time.time()
        done = subprocess.run(
            [*command, f"trainer.max_epochs={epochs}", "rerun=all", *overrides],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.time() - begin
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        rows: list[Any] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return seconds, [Part(pid, name, start - begin, end - begin) for pid, name, start, end in rows]


def print_parts(parts: list[Part]) -> None:
    """Print the parts of each process in the order of their starts; equal ones of a process in one row."""
    order = list(dict.fromkeys(part.process for part in sorted(parts, key=lambda part: part.start)))
    print("| process | part | begins, s | seconds | times |\n|---|---|---|---|---|")
    for number, process in enumerate(order, 1):
        own = sorted((part for part in parts if part.process == process), key=lambda part: part.start)
        for name in dict.fromkeys(part.name for part in own):
            same = [part for part in own if part.name == name]
            total = sum(part.end - part.start for part in same)
            print(f"| {number} | {name} | {same[0].start:.2f} | {total:.2f} | {len(same)} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        run_command(home, arguments.epochs, arguments.overrides)
        runs = [
            run_command(home, arguments.epochs, arguments.overrides) for _ in range(arguments.repetitions)
        ]
    runs.sort(key=lambda run: run[0])
    print(f"seconds of each command: {', '.join(f'{seconds:.2f}' for seconds, _ in runs)}\n")
    print_parts(runs[len(runs) // 2][1])


if __name__ == "__main__":
    main()
