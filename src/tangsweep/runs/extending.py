"""`extend=true`: a longer run goes on from a shorter one that is done and otherwise the same."""

import math
import shutil
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tangsweep.runs.folder import RunFolder, atomic_write
from tangsweep.runs.identity import LENGTH, config_hash
from tangsweep.runs.record import MetricsFile, read_result
from tangsweep.runs.state import State


class Found(NamedTuple):
    """The shorter run that a longer one can go on from; `refused` says why one that is near cannot."""

    shorter: RunFolder | None
    refused: str = ""


def find(folder: RunFolder, config: Mapping[str, Any], fingerprint: str) -> Found:
    """The longest of the shorter runs beside `folder`, whose config is the same but for LENGTH.

    A schedule that depends on the length makes its run another one, and so does an end in mid-epoch: a
    run that was longer from the start would not have evaluated there.
    """
    best, refused = Found(None), ""
    for other, theirs in _done_beside(folder):
        if not _shorter(theirs["trainer"], config["trainer"]):
            continue
        if config_hash(theirs, fingerprint, LENGTH) != config_hash(config, fingerprint, LENGTH):
            left_out = (*LENGTH, "scheduler")
            if config_hash(theirs, fingerprint, left_out) == config_hash(config, fingerprint, left_out):
                refused = f"the schedule of {other.path.name} depends on its length"
            continue
        if config["trainer"]["give_up"]:
            refused = f"half of its length decided whether {other.path.name} gave up"
        elif not _whole_epochs(other, theirs["trainer"]["val_every"]):
            refused = f"{other.path.name} ended in mid-epoch"
        elif best.shorter is None or _steps(other) > _steps(best.shorter):
            best = Found(other)
    return best if best.shorter else Found(None, refused)


def take_over(shorter: RunFolder, folder: RunFolder) -> None:
    """Copy what a run goes on from; its last checkpoint comes last, so that a kill leaves nothing half."""
    folder.prepare()
    for theirs, ours in ((shorter.metrics, folder.metrics), (shorter.samples, folder.samples)):
        if theirs.exists():
            shutil.copyfile(theirs, ours)
    atomic_write(folder.best, shorter.best.read_bytes())
    atomic_write(folder.extended, shorter.path.name + "\n")
    atomic_write(folder.last, shorter.last.read_bytes())


def extended_from(folder: RunFolder) -> str | None:
    """The name of the shorter run that the one in `folder` went on from."""
    return folder.extended.read_text(encoding="utf-8").strip() if folder.extended.exists() else None


def _done_beside(folder: RunFolder) -> Iterator[tuple[RunFolder, dict[str, Any]]]:
    """The other runs of the sweep that are done and can be gone on from, with their configs."""
    for path in sorted(Path(folder.path.parent).iterdir()):
        other = RunFolder(path)
        result = read_result(other) if path != folder.path and not other.replaced else None
        if result and result["status"] == State.DONE and other.last.exists() and other.best.exists():
            yield other, yaml.load(other.config.read_text(encoding="utf-8"), yaml.CSafeLoader)


def _shorter(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    keys = [key.rpartition(".")[2] for key in LENGTH]
    bounds = [[math.inf if t[key] is None else t[key] for key in keys] for t in (theirs, ours)]
    return bounds[0] != bounds[1] and all(a <= b for a, b in zip(*bounds, strict=True))


def _whole_epochs(folder: RunFolder, val_every: int | None) -> bool:
    """Whether the last epoch was as long as the first; epochs are seen by their evaluations."""
    steps = [row["step"] for row in MetricsFile(folder.metrics).rows() if "val/loss" in row]
    lengths = [after - before for before, after in pairwise(steps)]
    if val_every is not None:
        return bool(lengths) and lengths[-1] == val_every
    return len(lengths) > 1 and lengths[-1] == lengths[0]


def _steps(folder: RunFolder) -> int:
    return (read_result(folder) or {}).get("steps") or 0
