"""Extends a shorter run that is done: one of the same config but for its length goes on from it."""

import math
import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import yaml

from tangsweep.config.identity import LENGTH_KEYS, PlainConfig, config_hash, is_stepped_with_optimizer
from tangsweep.console import print_line
from tangsweep.files import atomic_write
from tangsweep.runs.config_file import read_config
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import FilledRow, MetricsFile, parse_metrics
from tangsweep.runs.record_file import read_record
from tangsweep.runs.state import State
from tangsweep.training.resume import StartAnew, check_checkpoints


def extend_shorter_run(folder: RunFolder, config: PlainConfig, fingerprint: str) -> None:
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


def find_shorter_run(folder: RunFolder, config: PlainConfig, fingerprint: str) -> Extension:
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
        elif reason := _why_it_cannot_go_on(other, other_config["trainer"]):
            refused = f"{other.path.name} {reason}"
        elif best.shorter is None or _recorded_steps(other) > _recorded_steps(best.shorter):
            best = Extension(other)
    return best if best.shorter else Extension(None, refused)


def copy_shorter_run(shorter: RunFolder, folder: RunFolder) -> None:
    """Copy what a run goes on from; its last checkpoint comes last, so that a kill leaves nothing half.

    Samples are written anew from the checkpoint, which holds them.
    """
    folder.prepare()
    atomic_write(folder.extended, shorter.path.name + "\n")
    shutil.copyfile(shorter.metrics, folder.metrics)
    atomic_write(folder.best, shorter.best.read_bytes())
    atomic_write(folder.last, shorter.last.read_bytes())


def extended_from(folder: RunFolder) -> str | None:
    """Return the name of the shorter run that the one in `folder` went on from; None: it did not."""
    return folder.extended.read_text(encoding="utf-8").strip() if folder.extended.exists() else None


def _is_same(one: PlainConfig, other: PlainConfig, left_out: tuple[str, ...]) -> bool:
    return config_hash(one, "", left_out) == config_hash(other, "", left_out)


def _finished_runs_beside(folder: RunFolder, fingerprint: str) -> Iterator[tuple[RunFolder, PlainConfig]]:
    """The other runs on the same corpus that are done and can be continued, with their configs."""
    for path in sorted(Path(folder.path.parent).iterdir()):
        other = RunFolder(path)
        record = read_record(other) if path != folder.path and not other.replaced else None
        if record is None or record.status != State.DONE:
            continue
        if record.corpus is None or record.corpus.fingerprint != fingerprint:
            continue
        if all(file.exists() for file in (other.config, other.metrics, other.last, other.best)):
            config = _config_of(other)
            if config is not None:
                yield other, config


def _config_of(folder: RunFolder) -> PlainConfig | None:
    """Return the config of a run; None where it was damaged."""
    try:
        config = read_config(folder)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return config if isinstance(config, dict) and isinstance(config.get("trainer"), dict) else None


def _is_shorter(one: PlainConfig, other: PlainConfig) -> bool:
    keys = [key.rpartition(".")[2] for key in LENGTH_KEYS]
    bounds = [[math.inf if t.get(key) is None else t[key] for key in keys] for t in (one, other)]
    return bounds[0] != bounds[1] and all(a <= b for a, b in zip(*bounds, strict=True))


def _why_it_cannot_go_on(folder: RunFolder, trainer: PlainConfig) -> str:
    """Return what keeps a finished run from going on; an empty string where nothing does."""
    try:
        last = check_checkpoints(folder)
    except StartAnew as lost:
        return f"cannot go on: {lost}"
    text = MetricsFile(folder.metrics).text if last is None or last.rows_text is None else last.rows_text
    return "" if _ends_with_whole_epoch(parse_metrics(text).rows, trainer) else "ended in mid-epoch"


def _ends_with_whole_epoch(rows: Sequence[FilledRow], trainer: PlainConfig) -> bool:
    """Whether the last epoch was as long as the first; epochs are seen by their evaluations."""
    steps = [row["step"] for row in rows if "val/loss" in row]
    lengths = [after - before for before, after in pairwise(steps)]
    if not lengths:
        return False
    ended_by_steps = trainer.get("max_steps") == steps[-1]
    whole = trainer.get("val_every") or (None if len(lengths) == 1 and ended_by_steps else lengths[0])
    return bool(lengths[-1] == whole)


def _recorded_steps(folder: RunFolder) -> int:
    record = read_record(folder)
    return (record.steps if record else None) or 0
