"""What disks, crashes and hands do to the files of a run."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from tangsweep.runs.folder import RunFolder


def flip_exponent_bit(checkpoint: Path) -> None:
    """Flip one bit in the largest tensor of a checkpoint: its first number becomes much larger or smaller."""
    with zipfile.ZipFile(checkpoint) as archive:
        tensor = archive.read(max(archive.infolist(), key=lambda part: part.file_size))
    content = bytearray(checkpoint.read_bytes())
    content[content.index(tensor) + 3] ^= 0x40  # of a float32, the lowest byte first
    checkpoint.write_bytes(content)


def flip_bit(path: Path, part: bytes) -> None:
    """Flip the lowest bit of the last byte of the first `part` in a file, so that a digit stays a digit."""
    content = bytearray(path.read_bytes())
    content[content.index(part) + len(part) - 1] ^= 1
    path.write_bytes(content)


def write_old_record(folder: RunFolder, values: Mapping[str, object]) -> None:
    """Write the record of a run as versions before checksums did: with other values it is still believed."""
    remaining = {name: value for name, value in values.items() if name != "checksums"}
    folder.result.write_text(json.dumps(remaining), encoding="utf-8")


def make_old(folder: RunFolder) -> None:
    """Make last.ckpt what an older version wrote: without the rows of metrics.csv."""
    content = torch.load(folder.last, weights_only=True)
    del content["tangsweep_metrics"]
    torch.save(content, folder.last)


def drop_line(text: bytes, number: int) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(lines[:number] + lines[number + 1 :])
