"""`plan=true`: what a command would train, how long and into how much disk; nothing is trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from rich.table import Table

from tangsweep.console import console, print_line
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import read_result
from tangsweep.runs.state import State
from tangsweep.sweep.run_status import RunStatus
from tangsweep.training.prepare import PreparedRun

COLUMNS = ("run", "varies", "state", "time", "disk")


def print_plan(prepared: Sequence[PreparedRun], standings: Mapping[Path, RunStatus], at_once: int) -> None:
    """A row a run, and the total; `at_once` runs are trained side by side.

    The estimate of a run is the mean of those like it that are done (all but seed, learning rate,
    initialization and scheduler are alike), or comes from a few measured steps.
    """
    costs = _costs(prepared, standings)
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for p in prepared:
        state, trained, _ = standings[p.folder]
        varied, _, digest = p.name.rpartition("-")
        cost = [clock(costs[p.folder][0]), size(costs[p.folder][1])] if trained else ["", ""]
        table.add_row(digest, varied, state.value if trained else f"{state.value}, left", *cost)
    console.print(table)
    seconds, longest = sum(s for s, _ in costs.values()), max((s for s, _ in costs.values()), default=0.0)
    at_once = min(at_once, len(costs))
    wall = max(longest, seconds / max(at_once, 1))
    side_by_side = f", about {clock(wall)} with {at_once} at once" if at_once > 1 else ""
    print_line(
        f"{len(costs)} of {len(prepared)} runs to train: {clock(seconds)} of training and scoring"
        f"{side_by_side}; {size(sum(disk for _, disk in costs.values()))} of disk. At most: a run that goes "
        "on has less left, one that reaches its goal or loses patience ends earlier. Nothing was trained."
    )


def _costs(prepared: Sequence[PreparedRun], standings: Mapping[Path, RunStatus]) -> dict[Path, Any]:
    """(seconds, bytes) of each run to train."""
    wanted = {p.folder: _kind(p) for p in prepared if standings[p.folder].trained}
    known: dict[str, list[Any]] = {kind: [] for kind in wanted.values()}
    for p in prepared if wanted else ():
        if standings[p.folder].state is State.DONE and (kind := _kind(p)) in known:
            known[kind].append(_spent(RunFolder(p.folder)))
    means = {kind: tuple(map(mean, zip(*spent, strict=True))) for kind, spent in known.items() if spent}
    for p in prepared:
        if p.folder in wanted and wanted[p.folder] not in means:
            from tangsweep.training import estimate  # seconds, and only where nothing is known

            means[wanted[p.folder]] = tuple(estimate.estimate_cost(p))
    return {folder: means[kind] for folder, kind in wanted.items()}


def _kind(prepared: PreparedRun) -> str:
    """What a run's cost depends on."""
    config = prepared.config
    trainer = {key: value for key, value in config["trainer"].items() if key != "log_every"}
    parts = [config[group] for group in ("corpus", "data", "cell", "model", "samples")]
    return repr([*parts, trainer, config["optimizer"]["_target_"], prepared.corpus.fingerprint])


def _spent(folder: RunFolder) -> tuple[float, int]:
    result = read_result(folder)
    disk = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    return (result or {}).get("seconds") or 0.0, disk


def clock(seconds: float) -> str:
    """`7 s`, `12 min`, `3.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(disk: float) -> str:
    """`0.4 MB`, `2.1 GB`."""
    return f"{disk / 1e6:.1f} MB" if disk < 1e9 else f"{disk / 1e9:.1f} GB"
