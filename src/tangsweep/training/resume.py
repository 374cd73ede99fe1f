"""A run that was stopped goes on from its last checkpoint, as if nothing had happened."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tangsweep.console import print_line
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import MetricsFile
from tangsweep.runs.state import State
from tangsweep.training import extend
from tangsweep.training.module import FORMAT


class Continued(NamedTuple):
    """Where a run goes on: nothing to go on from is an undisturbed start."""

    checkpoint: Path | None = None
    rows: list[dict[str, Any]] = []  # noqa: RUF012  # of metrics.csv up to the checkpoint


def take_up(folder: RunFolder, state: State) -> Continued:
    """Bring the folder of a run in `state` to where its next attempt starts; the caller holds its lock.

    A finished or diverged run is set aside whole. Of any other, metrics.csv is cut to the last checkpoint
    and a record of failure is kept under another name.
    """
    if state in (State.DONE, State.DIVERGED):
        beside = folder.set_aside()
        print_line(f"{folder.path.name} is trained anew; what it was is in {beside.name}")
    folder.prepare()
    if folder.result.exists():  # failed, or cut in half
        number = len(list(folder.path.glob("result.*.json"))) + 1
        folder.result.rename(folder.path / f"result.{number}.json")
    folder.interrupted.unlink(missing_ok=True)
    step = _step(folder)
    if step is None:
        for path in (folder.metrics, folder.samples, folder.extended, folder.best):
            path.unlink(missing_ok=True)
        return Continued()
    print_line(f"{folder.path.name} goes on from step {step:,}")
    return Continued(folder.last, MetricsFile(folder.metrics).cut(step))


def extend_shorter(folder: RunFolder, config: Mapping[str, Any], fingerprint: str) -> None:
    """Let a run that is missing go on from a shorter one beside it, or say why it cannot."""
    found = extend.find(folder, config, fingerprint)
    if found.shorter is not None:
        extend.take_over(found.shorter, folder)
        print_line(f"{folder.path.name} extends {found.shorter.path.name}")
    elif found.refused:
        print_line(f"{folder.path.name} starts anew: {found.refused}")


def _step(folder: RunFolder) -> int | None:
    """The optimizer steps made at the last checkpoint; None where there is none that can be read."""
    if not folder.last.exists():
        return None
    try:
        stored = torch.load(folder.last, map_location="cpu", weights_only=True)
        if stored["tangsweep_format"] != FORMAT:
            raise RuntimeError("made by another version")
        return stored["global_step"]
    except Exception as error:  # torch raises many kinds for a file that was cut
        broken = folder.last.with_suffix(".broken")
        folder.last.replace(broken)
        reason = type(error).__name__
        print_line(f"{folder.last} cannot be read ({reason}), kept as {broken.name}: the run starts anew")
        return None
