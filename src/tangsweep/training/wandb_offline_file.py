"""Reads what a run needs to know of W&B's offline file."""

import contextlib
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record as WandbRecord  # type: ignore[attr-defined]


def has_exit_record(path: Path) -> bool:
    """Return whether an offline file has the record of its run's end, which W&B writes last.

    It is a LevelDB log, of which the last two blocks are read. Blocks of 32 KiB hold chunks: a checksum (4
    bytes), the length of the content (2), the kind (1) and the content, of a whole record or of its first, a
    middle or its last part. Of a format that is not this one, nothing is known: True.
    """
    block, header, whole, first, last = 32 * 1024, b":W&B\xe1\xbe\x00", 1, 2, 4
    with path.open("rb") as file:
        if not header.startswith(file.read(len(header))):
            return True
        start = file.seek(max(path.stat().st_size // block - 1, 0) * block)
        content = file.read()
    position, record = 0 if start else len(header), b""
    while position + 7 <= len(content):
        if block - position % block < 7:  # no chunk begins here
            position += block - position % block
            continue
        end = position + 7 + int.from_bytes(content[position + 4 : position + 6], "little")
        kind, part = content[position + 6], content[position + 7 : end]
        record = part if kind in (whole, first) else record + part
        if kind in (whole, last) and end <= len(content):
            with contextlib.suppress(Exception):  # it is the end of a record that began before these blocks
                if WandbRecord.FromString(record).WhichOneof("record_type") == "exit":
                    return True
        position = end
    return False
