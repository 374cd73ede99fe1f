"""What disks, crashes and hands do to the files of a run."""

import zipfile
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


def make_old(folder: RunFolder) -> None:
    """Make last.ckpt what an older version wrote: without the rows of metrics.csv."""
    content = torch.load(folder.last, weights_only=True)
    del content["tangsweep_metrics"]
    torch.save(content, folder.last)


def drop_line(text: bytes, number: int) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(lines[:number] + lines[number + 1 :])
