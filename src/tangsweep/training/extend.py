"""`extend=true`: a longer run goes on from a shorter one that is done and otherwise the same."""

import math
import shutil
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tangsweep.config.identity import LENGTH, config_hash
from tangsweep.files import atomic_write
from tangsweep.runs.folder import RunFolder
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
    for other, theirs in _done_beside(folder, fingerprint):
        if not _shorter(theirs["trainer"], config["trainer"]):
            continue
        if not _alike(theirs, config, LENGTH):
            if _alike(theirs, config, (*LENGTH, "scheduler")):
                refused = f"the schedule of {other.path.name} depends on its length"
            continue
        if config["trainer"]["give_up"]:
            refused = f"half of its length decided whether {other.path.name} gave up"
        elif not _whole_epochs(other, theirs["trainer"]):
            refused = f"{other.path.name} ended in mid-epoch"
        elif best.shorter is None or _steps(other) > _steps(best.shorter):
            best = Found(other)
    return best if best.shorter else Found(None, refused)


def take_over(shorter: RunFolder, folder: RunFolder) -> None:
    """Copy what a run goes on from; its last checkpoint comes last, so that a kill leaves nothing half.

    Samples are written anew from the checkpoint, which holds them.
    """
    folder.prepare()
    shutil.copyfile(shorter.metrics, folder.metrics)
    atomic_write(folder.best, shorter.best.read_bytes())
    atomic_write(folder.extended, shorter.path.name + "\n")
    atomic_write(folder.last, shorter.last.read_bytes())


def extended_from(folder: RunFolder) -> str | None:
    """The name of the shorter run that the one in `folder` went on from."""
    return folder.extended.read_text(encoding="utf-8").strip() if folder.extended.exists() else None


def _alike(one: Mapping[str, Any], other: Mapping[str, Any], left_out: tuple[str, ...]) -> bool:
    return config_hash(one, "", left_out) == config_hash(other, "", left_out)


def _done_beside(folder: RunFolder, fingerprint: str) -> Iterator[tuple[RunFolder, dict[str, Any]]]:
    """The other runs on the same corpus that are done and can be gone on from, with their configs."""
    for path in sorted(Path(folder.path.parent).iterdir()):
        other = RunFolder(path)
        result = read_result(other) if path != folder.path and not other.replaced else None
        if not result or result["status"] != State.DONE or result["corpus"]["fingerprint"] != fingerprint:
            continue
        if all(file.exists() for file in (other.config, other.metrics, other.last, other.best)):
            yield other, yaml.safe_load(other.config.read_text(encoding="utf-8"))


def _shorter(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    keys = [key.rpartition(".")[2] for key in LENGTH]
    bounds = [[math.inf if t.get(key) is None else t[key] for key in keys] for t in (theirs, ours)]
    return bounds[0] != bounds[1] and all(a <= b for a, b in zip(*bounds, strict=True))


def _whole_epochs(folder: RunFolder, trainer: Mapping[str, Any]) -> bool:
    """Whether the last epoch was as long as the first; epochs are seen by their evaluations."""
    steps = [row["step"] for row in MetricsFile(folder.metrics).rows() if "val/loss" in row]
    lengths = [after - before for before, after in pairwise(steps)]
    if not lengths:
        return False
    ended_by_steps = trainer.get("max_steps") == steps[-1]
    whole = trainer.get("val_every") or (None if len(lengths) == 1 and ended_by_steps else lengths[0])
    return lengths[-1] == whole


def _steps(folder: RunFolder) -> int:
    return (read_result(folder) or {}).get("steps") or 0
