"""Reads an offline W&B file back: a 7-byte header, then LevelDB log blocks of protobuf records."""

from pathlib import Path
from typing import Any, NamedTuple

import wandb
from wandb.proto import wandb_internal_pb2 as pb

HEADER, BLOCK, RECORD_HEADER = 7, 32 * 1024, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


class Offline(NamedTuple):
    id: str
    group: str
    config: dict[str, str]
    history: list[dict[str, str]]
    summary: dict[str, str]
    exit_codes: list[int]


def chunks(data: bytes) -> list[bytes]:
    """The payloads of the log's records, put together where they cross a block."""
    found, position, partial = [], HEADER, b""
    while position < len(data):
        left = BLOCK - position % BLOCK
        if left < RECORD_HEADER:
            position += left
            continue
        length = int.from_bytes(data[position + 4 : position + 6], "little")
        kind = data[position + 6]
        body = data[position + RECORD_HEADER : position + RECORD_HEADER + length]
        position += RECORD_HEADER + length
        if kind in (FULL, LAST):
            found.append((partial if kind == LAST else b"") + body)
            partial = b""
        else:
            partial = (b"" if kind == FIRST else partial) + body
    return found


def read(run_folder: Path) -> Offline:
    wandb.teardown()  # what the end of the process does: W&B's own process then has written everything
    [path] = run_folder.glob("wandb/offline-run-*/run-*.wandb")
    records = [pb.Record.FromString(chunk) for chunk in chunks(path.read_bytes())]
    run = next(r.run for r in records if r.WhichOneof("record_type") == "run")

    def items(message: Any) -> dict[str, str]:
        return {i.key or "/".join(i.nested_key): i.value_json for i in message.item}

    def updates(message: Any) -> dict[str, str]:
        return {i.key or "/".join(i.nested_key): i.value_json for i in message.update}

    return Offline(
        run.run_id,
        run.run_group,
        {u.key: u.value_json for u in run.config.update},
        [items(r.history) for r in records if r.WhichOneof("record_type") == "history"],
        {
            k: v
            for r in records
            if r.WhichOneof("record_type") == "summary"
            for k, v in updates(r.summary).items()
        },
        [r.exit.exit_code for r in records if r.WhichOneof("record_type") == "exit"],
    )
