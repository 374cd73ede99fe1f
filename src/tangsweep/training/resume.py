"""Continues a stopped run from its last checkpoint, and extends a shorter run that is done."""

import math
import shutil
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from tangsweep.config.identity import LENGTH_KEYS, config_hash, is_stepped_with_optimizer
from tangsweep.console import print_line
from tangsweep.files import atomic_write
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.runs.record_file import read_record
from tangsweep.runs.state import State
from tangsweep.training.module import CHECKPOINT_FORMAT


class ResumePoint(NamedTuple):
    """Where training starts: without a checkpoint, at the beginning."""

    checkpoint: Path | None = None
    rows: list[dict[str, float | int]] = []  # noqa: RUF012  # of metrics.csv up to the checkpoint


def prepare_folder(folder: RunFolder, state: State) -> ResumePoint:
    """Bring the folder of a run in `state` to where its next attempt starts; the caller holds its lock.

    A finished or diverged run is set aside whole. Of any other, metrics.csv is cut to the last checkpoint
    and a record of failure is kept under another name.
    """
    if state in (State.DONE, State.DIVERGED):
        aside = folder.set_aside()
        print_line(f"{folder.path.name} is trained anew; what it was is in {aside.name}")
    folder.prepare()
    if folder.result.exists():  # failed, or cut in half
        number = len(list(folder.path.glob("result.*.json"))) + 1
        folder.result.rename(folder.path / f"result.{number}.json")
    folder.interrupted.unlink(missing_ok=True)
    step = _checkpoint_step(folder)
    if step is None:
        for path in (folder.metrics, folder.samples, folder.extended, folder.best):
            path.unlink(missing_ok=True)
        return ResumePoint()
    print_line(f"{folder.path.name} goes on from step {step:,}")
    return ResumePoint(folder.last, MetricsFile(folder.metrics).drop_after(step))


def _checkpoint_step(folder: RunFolder) -> int | None:
    """The optimizer steps made at the last checkpoint; None where there is none that can be read."""
    if not folder.last.exists():
        return None
    try:
        checkpoint = torch.load(folder.last, map_location="cpu", weights_only=True)
        if checkpoint["tangsweep_format"] != CHECKPOINT_FORMAT:
            raise RuntimeError("made by another version")
        return int(checkpoint["global_step"])
    except Exception as error:  # torch raises many kinds for a file that was cut
        broken = folder.last.with_suffix(".broken")
        folder.last.replace(broken)
        reason = type(error).__name__
        print_line(f"{folder.last} cannot be read ({reason}), kept as {broken.name}: the run starts anew")
        return None


def extend_shorter_run(folder: RunFolder, config: Mapping[str, Any], fingerprint: str) -> None:
    """Let a run that is missing go on from a shorter one beside it, or say why it cannot (`extend=true`)."""
    extension = find_shorter_run(folder, config, fingerprint)
    if extension.shorter is not None:
        copy_shorter_run(extension.shorter, folder)
        print_line(f"{folder.path.name} extends {extension.shorter.path.name}")
    elif extension.refused:
        print_line(f"{folder.path.name} starts anew: {extension.refused}")


class Extension(NamedTuple):
    """The shorter run that a longer one can go on from; `refused` says why a similar one cannot."""

    shorter: RunFolder | None
    refused: str = ""


def find_shorter_run(folder: RunFolder, config: Mapping[str, Any], fingerprint: str) -> Extension:
    """Find the longest of the shorter runs beside `folder` whose config is the same but for its length.

    A schedule that depends on the length makes its run another one, and so does an end in mid-epoch: a run
    that was longer from the start would not have evaluated there.
    """
    best, refused = Extension(None), ""
    for other, other_config in _finished_runs_beside(folder, fingerprint):
        if not _is_shorter(other_config["trainer"], config["trainer"]):
            continue
        if not _is_same(other_config, config, LENGTH_KEYS):
            if _is_same(other_config, config, (*LENGTH_KEYS, "scheduler")):
                refused = f"the schedule of {other.path.name} depends on its length"
            continue
        if is_stepped_with_optimizer(config):
            refused = f"the schedule of {other.path.name} depends on its length"
        elif config["trainer"]["give_up"]:
            refused = f"half of its length decided whether {other.path.name} gave up"
        elif not _ended_with_whole_epoch(other, other_config["trainer"]):
            refused = f"{other.path.name} ended in mid-epoch"
        elif best.shorter is None or _recorded_steps(other) > _recorded_steps(best.shorter):
            best = Extension(other)
    return best if best.shorter else Extension(None, refused)


def copy_shorter_run(shorter: RunFolder, folder: RunFolder) -> None:
    """Copy what a run goes on from; its last checkpoint comes last, so that a kill leaves nothing half.

    Samples are written anew from the checkpoint, which holds them.
    """
    folder.prepare()
    shutil.copyfile(shorter.metrics, folder.metrics)
    atomic_write(folder.best, shorter.best.read_bytes())
    atomic_write(folder.extended, shorter.path.name + "\n")
    atomic_write(folder.last, shorter.last.read_bytes())


def extended_from(folder: RunFolder) -> str | None:
    """Return the name of the shorter run that the one in `folder` went on from; None: it did not."""
    return folder.extended.read_text(encoding="utf-8").strip() if folder.extended.exists() else None


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any], left_out: tuple[str, ...]) -> bool:
    return config_hash(one, "", left_out) == config_hash(other, "", left_out)


def _finished_runs_beside(folder: RunFolder, fingerprint: str) -> Iterator[tuple[RunFolder, dict[str, Any]]]:
    """The other runs on the same corpus that are done and can be continued, with their configs."""
    for path in sorted(Path(folder.path.parent).iterdir()):
        other = RunFolder(path)
        record = read_record(other) if path != folder.path and not other.replaced else None
        if record is None or record.status != State.DONE:
            continue
        if record.corpus is None or record.corpus.fingerprint != fingerprint:
            continue
        if all(file.exists() for file in (other.config, other.metrics, other.last, other.best)):
            yield other, yaml.safe_load(other.config.read_text(encoding="utf-8"))


def _is_shorter(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    keys = [key.rpartition(".")[2] for key in LENGTH_KEYS]
    bounds = [[math.inf if t.get(key) is None else t[key] for key in keys] for t in (one, other)]
    return bounds[0] != bounds[1] and all(a <= b for a, b in zip(*bounds, strict=True))


def _ended_with_whole_epoch(folder: RunFolder, trainer: Mapping[str, Any]) -> bool:
    """Whether the last epoch was as long as the first; epochs are seen by their evaluations."""
    steps = [row["step"] for row in MetricsFile(folder.metrics).rows() if "val/loss" in row]
    lengths = [after - before for before, after in pairwise(steps)]
    if not lengths:
        return False
    ended_by_steps = trainer.get("max_steps") == steps[-1]
    whole = trainer.get("val_every") or (None if len(lengths) == 1 and ended_by_steps else lengths[0])
    return bool(lengths[-1] == whole)


def _recorded_steps(folder: RunFolder) -> int:
    record = read_record(folder)
    return (record.steps if record else None) or 0
