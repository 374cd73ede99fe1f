"""`plan=true`: print what a command would train, how long and into how much disk; nothing is trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from rich.table import Table

from tangsweep.console import console, format_bytes, format_duration, print_line
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import read_record
from tangsweep.runs.state import State
from tangsweep.sweep.run_status import RunStatus
from tangsweep.training.prepare import PreparedRun

COLUMNS = ("run", "varies", "state", "time", "disk")


class Cost(NamedTuple):
    """What one run costs that nothing stops early."""

    seconds: float  # training and scoring
    disk: float  # bytes


def print_plan(runs: Sequence[PreparedRun], statuses: Mapping[Path, RunStatus], concurrency: int) -> None:
    """Print a row a run, and the total; `concurrency` runs are trained side by side.

    The estimate of a run is the mean of those like it that are done (all but seed, learning rate,
    initialization and scheduler are alike), or comes from a few measured steps.
    """
    costs = _costs(runs, statuses)
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for run in runs:
        state, trained, _ = statuses[run.folder]
        varied, _, digest = run.name.rpartition("-")
        cost = ["", ""]
        if trained:
            cost = [format_duration(costs[run.folder].seconds), format_bytes(costs[run.folder].disk)]
        table.add_row(digest, varied, state.value if trained else f"{state.value}, left", *cost)
    console.print(table)
    seconds = sum(cost.seconds for cost in costs.values())
    disk = format_bytes(sum(cost.disk for cost in costs.values()))
    concurrency = min(concurrency, len(costs))
    wall = max([seconds / max(concurrency, 1), *(cost.seconds for cost in costs.values())])
    side_by_side = f", about {format_duration(wall)} with {concurrency} at once" if concurrency > 1 else ""
    print_line(
        f"{len(costs)} of {len(runs)} runs to train: {format_duration(seconds)} of training and scoring"
        f"{side_by_side}; {disk} of disk. At most: a run that goes on has less left, one that reaches "
        "its goal or loses patience ends earlier. Nothing was trained."
    )


def _costs(runs: Sequence[PreparedRun], statuses: Mapping[Path, RunStatus]) -> dict[Path, Cost]:
    """Estimate the cost of each run to train, once for each kind of run."""
    kinds = {run.folder: _cost_kind(run) for run in runs if statuses[run.folder].trained}
    recorded: dict[str, list[Cost]] = {kind: [] for kind in kinds.values()}
    for run in runs if kinds else ():
        if statuses[run.folder].state is State.DONE and (kind := _cost_kind(run)) in recorded:
            recorded[kind].append(_recorded_cost(RunFolder(run.folder)))
    means = {
        kind: Cost(mean(cost.seconds for cost in costs), mean(cost.disk for cost in costs))
        for kind, costs in recorded.items()
        if costs
    }
    for run in runs:
        if run.folder in kinds and kinds[run.folder] not in means:
            from tangsweep.training import estimate  # torch: seconds, and only where nothing is recorded

            means[kinds[run.folder]] = Cost(*estimate.estimate_cost(run))
    return {folder: means[kind] for folder, kind in kinds.items()}


def _cost_kind(run: PreparedRun) -> str:
    """Equal for runs that cost the same."""
    config = run.config.plain
    trainer = {key: value for key, value in config["trainer"].items() if key != "log_every"}
    parts = [config[group] for group in ("corpus", "data", "cell", "model", "samples")]
    return repr([*parts, trainer, config["optimizer"]["_target_"], run.corpus.fingerprint])


def _recorded_cost(folder: RunFolder) -> Cost:
    record = read_record(folder)
    disk = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    return Cost((record.seconds if record else None) or 0.0, disk)
