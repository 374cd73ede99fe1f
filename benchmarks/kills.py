"""Part of `benchmarks/faults.py`: a sweep killed at random moments must end as an undisturbed one does.

What is killed is drawn anew each time: the whole process group, one worker, the fork server, or the command's
own process alone. The same command is then started again. Once a round's sweep has ended, its checkpoints,
records, rows and poems are compared by value with the undisturbed sweep's.
"""

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile

REPOSITORY = Path(__file__).resolve().parents[1]
SWEEP = (
    "-m", "optimizer=sgd,adam", "seed=0,1", "corpus=sample", "trainer.max_epochs=4", "model.hidden_size=16",
    "report=false",
)  # fmt: skip
RUNS = 4
TARGETS = {"whole process group": 3, "one worker": 4, "fork server": 1, "command alone": 2}  # and weights
KILLS_A_ROUND = 12
# Times differ between equal runs; so does what W&B calls them.
TIMED = {
    "seconds", "characters_per_second", "chars_per_second", "finished", "cost", "wandb", "checksums",
    "tangsweep_metrics", "elapsed",
}  # fmt: skip
Tally = dict[str, Counter[str]]  # what was done → how often it was tried and held


def start_sweep(home: Path, launcher: str) -> "subprocess.Popen[bytes]":
    """Start the command in a process group of its own."""
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "src" / "train.py"), *SWEEP, f"hydra/launcher={launcher}"],
        env={**os.environ, "TANGSWEEP_HOME": str(home)}, start_new_session=True, cwd=home,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def children(parent: int) -> Iterator[int]:
    """Yield the living children of a process (Linux)."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended by now
            continue
        if int(after_name[1]) == parent and after_name[0] != "Z":
            yield int(path.parent.name)


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def find_victim(command: int, target: str) -> int | None:
    """Return the process to kill; None where there is none at this moment."""
    if target == "command alone":
        return command
    servers = [pid for pid in children(command) if "forkserver" in command_line(pid)]
    if target == "fork server" or not servers:
        return servers[0] if servers else None
    workers = list(children(servers[0]))
    return random.choice(workers) if workers else None


def kill_once(process: "subprocess.Popen[bytes]", target: str) -> bool:
    """Kill what `target` names; return whether there was such a process."""
    if process.poll() is not None:
        return False
    try:
        if target == "whole process group":
            os.killpg(process.pid, signal.SIGKILL)
            return True
        victim = find_victim(process.pid, target)
        if victim is None:
            return False
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def record_times(home: Path) -> dict[str, int]:
    """Return the time at which each run's record was written, in nanoseconds."""
    return {p.parent.name: p.stat().st_mtime_ns for p in home.glob("outputs/*/*/result.json")}


def run_round(home: Path, launcher: str, kills: int, seconds: float) -> Counter[str]:
    """Kill the sweep up to `kills` times, let it end, and count what was killed.

    Undisturbed it takes `seconds`. Raises AssertionError where a record was written twice, or where the
    sweep does not end.
    """
    killed: Counter[str] = Counter()
    times: dict[str, int] = {}
    while killed.total() < kills and len(times) < RUNS:
        process = start_sweep(home, launcher)
        while killed.total() < kills and process.poll() is None:
            time.sleep(random.uniform(0.1, 0.6) * seconds)
            target = random.choices(list(TARGETS), list(TARGETS.values()))[0]
            if kill_once(process, target):
                killed[target] += 1
            if target in ("whole process group", "command alone"):
                break
        wait_for_end(process, 20 * seconds)
        times_now = record_times(home)
        assert {name: times_now[name] for name in times} == times, "a run was trained to its end twice"
        times = times_now
    for _ in range(3):  # a run whose worker was killed twice counts as failed once
        process = start_sweep(home, launcher)
        if wait_for_end(process, 20 * seconds) == 0:
            return killed
    raise AssertionError(f"after {dict(killed)} the command does not end with status 0")


def wait_for_end(process: "subprocess.Popen[bytes]", seconds: float) -> int:
    """Return the status of a command, and end what it may have left. Raises AssertionError where it hangs."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"the command still ran after {seconds:.0f} s") from None


def differences(one: object, other: object, path: str = "") -> list[str]:
    """Return where two values differ, but for times: tensors bit for bit, NaN equal to NaN."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = {str(key).partition("{")[0]: key for key in [*one, *other]}
        found = []
        for name, key in keys.items():
            if name not in TIMED:
                found += differences(one.get(key), other.get(key), f"{path}/{name}")
        return found
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [found for n, pair in pairs for found in differences(*pair, f"{path}/{n}")]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if one.dtype == other.dtype and torch.equal(one, other) else [path]
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return []
    return [] if one == other else [path]


def contents(folder: RunFolder) -> dict[str, Any]:
    """Return what a run left, as plain values and tensors."""
    return {
        "record": json.loads(folder.result.read_text(encoding="utf-8")),
        "best": torch.load(folder.best, weights_only=True),
        "last": torch.load(folder.last, weights_only=True),
        "rows": MetricsFile(folder.metrics).rows(),
        "poems": folder.poems.read_text(encoding="utf-8"),
        "W&B files": len(list(folder.path.glob("wandb/offline-run-*"))),
    }


def compare_runs(undisturbed: Path, other: Path) -> list[str]:
    """Return what differs between the runs of two homes."""
    found = []
    for path in sorted(undisturbed.glob("outputs/*/*/result.json")):
        name = path.parent.relative_to(undisturbed)
        pair = [contents(RunFolder(home / name)) for home in (undisturbed, other)]
        found += [f"{path.parent.name}{where}" for where in differences(*pair)]
    return found


def try_kills(folder: Path, launcher: str, kills: int) -> tuple[Tally, list[str]]:
    """Kill sweeps `kills` times in all; return the tally, and what did not hold."""
    undisturbed, tally, problems = folder / "undisturbed", Tally(), list[str]()
    assert start_sweep(undisturbed, launcher).wait() == 0
    shutil.rmtree(undisturbed / "outputs")
    start = time.perf_counter()
    assert start_sweep(undisturbed, launcher).wait() == 0
    seconds, done, number = time.perf_counter() - start, 0, 0
    while done < kills:
        home, number = folder / f"killed-{number}", number + 1
        if number % 4:  # every fourth round compiles and encodes again, and may be killed there
            shutil.copytree(undisturbed / "data", home / "data")
        try:
            killed = run_round(home, launcher, min(KILLS_A_ROUND, kills - done), seconds)
            problem = ", ".join(compare_runs(undisturbed, home))
        except AssertionError as error:
            killed, problem = Counter({"unfinished round": 1}), str(error)
        for target, count in killed.items():
            held = 0 if problem else count
            tally.setdefault(f"SIGKILL: {target}", Counter()).update(tried=count, held=held)
        problems += [f"round {number} {dict(killed)}: {problem}"] if problem else []
        done += killed.total()
        print(f"round {number}: {dict(killed)}, {done} kills so far {problem}", flush=True)
        shutil.rmtree(home)
    return tally, problems
