"""What can happen to a file: every corruption follows from a random generator, so each can be repeated."""

import copy
import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

import torch

ODD_VALUES = (
    None, True, False, 0, -1, 1, 7, 2**31, 2**63, 10**30, -(10**30), 0.5, -0.5, 1e-300, 1e308, -1e308, math.nan,
    math.inf, -math.inf, "", "x", "nan", "none", "1e999", "done", "failed", "running", "dev", "accuracy", "a\nb",
    "\x1b[31m", "\ud800", "=1+1", "`|<b>", "龘" * 50, [], {}, [1, [2]], ["a=1", "b"], {"a": {}}, {"": None},
)  # fmt: skip
ODD_FIELDS = (
    b"", b"nan", b"inf", b"-inf", b"1e400", b"9" * 30, b"9" * 5000, b"-1", b"0.5", b"1e-320", b"x", b"\x00", b"\xff",
    "é".encode(), "１".encode(), b"=1", b"1,2", b'"', b'"1', b"1_000", b"0x10", b" 1", b"\r", b"True",
)  # fmt: skip
ODD_BYTES = (
    b"\x00",
    b"\xff\xfe",
    b"\n",
    b"\r",
    b",",
    b'"',
    b"{",
    b"]",
    b"\xed\xa0\x80",
    b"\x1b[2J",
    b"9" * 40,
)


def corrupt_bytes(content: bytes, random: Random) -> bytes:
    """Flip bits, cut, insert, repeat or move a part; at least one of these."""
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        content = _corrupt_part(content, random)
    return content


def _corrupt_part(content: bytes, random: Random) -> bytes:
    first, other = random.randrange(len(content) + 1), random.randrange(len(content) + 1)
    last = min(len(content), first + random.choice((1, 4, 64, 1024, len(content))))
    before, part, after = content[:first], content[first:last], content[last:]
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: before + bytes(byte ^ (1 << random.randrange(8)) for byte in part) + after,
        lambda: before,
        lambda: before + after,
        lambda: before + random.choice(ODD_BYTES) + part + after,
        lambda: before + part + part + after,
        lambda: content[:other] + part + content[other:],
        lambda: before + random.randbytes(len(part)) + after,
        lambda: before + bytes(len(part)) + after,
    )
    return random.choice(changes)()


def corrupt_value(value: Any, random: Random) -> Any:
    """Change one value somewhere in nested mappings and lists: its type, its size, its name, or drop it."""
    value = copy.copy(value)
    if isinstance(value, dict) and value and random.random() < 0.95:
        name = random.choice(list(value))
        fate = random.random()
        if fate < 0.08:
            del value[name]
        elif fate < 0.12:
            value[random.choice(("", "x", "status", "\ud800", "\x1b", "a.b"))] = value[name]
        else:
            value[name] = corrupt_value(value[name], random)
        return value
    if isinstance(value, list) and value and random.random() < 0.7:
        place = random.randrange(len(value))
        value[place] = random.choice((value[0], corrupt_value(value[place], random)))
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and random.random() < 0.4:
        return random.choice(
            (-value, value * 1000, value + 0.5, str(value), [value], value * 1e30, 0 * value)
        )
    return random.choice(ODD_VALUES)


def corrupt_json(content: bytes, random: Random) -> bytes:
    """Corrupt values of a JSON file, or its bytes."""
    if random.random() < 0.3:
        return corrupt_bytes(content, random)
    value = json.loads(content)
    for _ in range(random.choice((1, 1, 2, 6))):
        value = corrupt_value(value, random)
    return json.dumps(value, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def corrupt_json_lines(content: bytes, random: Random) -> bytes:
    """Corrupt one line of a file that holds JSON in each."""
    lines = content.splitlines(keepends=True)
    place = random.randrange(len(lines))
    lines[place] = corrupt_json(lines[place], random)
    return b"".join(lines)


def corrupt_csv(content: bytes, random: Random) -> bytes:
    """Corrupt fields or lines of a CSV file, its header among them, or its bytes."""
    if random.random() < 0.3:
        return corrupt_bytes(content, random)
    rows = [line.split(b",") for line in content.split(b"\n")]
    for _ in range(random.choice((1, 1, 2, 6))):
        _corrupt_row(rows, random.choice((0, random.randrange(len(rows)))), random)
    return b"\n".join(b",".join(row) for row in rows)


def _corrupt_row(rows: list[list[bytes]], number: int, random: Random) -> None:
    row, odd = rows[number], random.choice(ODD_FIELDS)
    place = random.randrange(len(row)) if row else 0
    changes: tuple[Callable[[], object], ...] = (
        lambda: row.__setitem__(slice(place, place + 1), [odd]),
        lambda: row.__delitem__(slice(place, place + 1)),
        lambda: row.insert(place, odd),
        lambda: rows.insert(random.randrange(len(rows)), list(row)),
        rows.reverse,
        row.clear,
    )
    random.choice(changes)()


ODD_TENSORS: tuple[Callable[[torch.Tensor], object], ...] = (
    lambda tensor: tensor * math.nan,
    lambda tensor: tensor / 0,
    lambda tensor: tensor.t() if tensor.ndim == 2 else tensor[None],
    lambda tensor: tensor[:1],
    lambda tensor: tensor[:1].clone().expand(tensor.shape),
    lambda tensor: torch.cat([tensor, tensor]),
    lambda tensor: tensor.long(),
    lambda tensor: tensor.bool(),
    lambda tensor: tensor.double(),
    lambda tensor: tensor.half(),
    lambda tensor: tensor.to(torch.complex64),
    lambda tensor: tensor.to_sparse(),
    lambda tensor: tensor.to(torch.float8_e4m3fn),
    lambda tensor: tensor * 1e30,
    lambda tensor: tensor.new_empty(0),
    lambda tensor: None,
    lambda tensor: tensor.tolist(),
)


def corrupt_checkpoint(content: dict[str, Any], random: Random) -> object:
    """Corrupt what a checkpoint says of its model, or its weights, or leave out either."""
    content = {**content, "state_dict": dict(content["state_dict"])}
    fate, weights = random.random(), content["state_dict"]
    name = random.choice(list(weights))
    if fate < 0.6:
        described = content["tangsweep"]
        part = random.choice(("tangsweep", "tokens", "inputs", "config", "model", "cell", "corpus"))
        if part == "tangsweep":
            content["tangsweep"] = corrupt_value(described, random)
        elif part in described:
            content["tangsweep"] = {**described, part: corrupt_value(described[part], random)}
        else:
            config = described["config"] | {part: corrupt_value(described["config"][part], random)}
            content["tangsweep"] = {**described, "config": config}
    elif fate < 0.9:
        weights[name] = random.choice(ODD_TENSORS)(weights[name])
    elif fate < 0.95:
        weights[random.choice(("", "model.x", name.upper()))] = weights.pop(name)
    else:
        return random.choice((weights[name], [content], None, {}, {**content, "state_dict": None}))
    return content
