"""result.json: writes a run's record, and reads it, whatever an older version or a user's hand left in it."""

import copy
import json
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from tangsweep.files import atomic_write
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Record

UNBOUNDED = ("perplexity", "perplexity_padded", "perplexity_mean_over_sentences", "perplexity_oov_charged")


def write_record(folder: RunFolder, record: Record) -> None:
    """Write result.json, whole or not at all; NaN and infinity become null."""
    values = record.model_dump(by_alias=True, exclude_unset=True)
    text = json.dumps(_without_infinities(values), indent=2, ensure_ascii=False, allow_nan=False)
    atomic_write(folder.result, text + "\n")


def read_record(folder: RunFolder) -> Record | None:
    """Return the record, without fields of the wrong type; None where there is none or it is no record."""
    try:
        return parse_record(json.loads(folder.result.read_text(encoding="utf-8")))[0]
    except (OSError, ValueError, RecursionError):
        return None


def parse_record(values: object) -> tuple[Record, list[str]]:
    """Return a record and the names of fields that were left out because their value is of the wrong type.

    Raises ValueError where `values` is no record: no mapping, or without a status.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("status"), str):
        raise ValueError("no record")
    remaining: dict[str, Any] = copy.deepcopy(dict(values))
    wrong: list[str] = []
    for path in _numbers_out_of_range(remaining):
        _clear(remaining, path)
        wrong.append(".".join(path))
    while True:
        try:
            return Record.model_validate(remaining), sorted(wrong)
        except ValidationError as error:
            paths = {_field_path(remaining, detail["loc"]) for detail in error.errors(include_url=False)}
            for path in sorted(paths, key=len, reverse=True):  # inner ones first, while their parents exist
                _clear(remaining, path)
                wrong.append(".".join(path))


def _field_path(values: Mapping[str, Any], location: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the names of pydantic's `location` that lead through mappings.

    A list with one wrong item is left out whole, and the branch of a union is no name.
    """
    names: list[str] = []
    inner: object = values
    for part in location:
        if not isinstance(part, str) or not isinstance(inner, Mapping) or part not in inner:
            break
        names.append(part)
        inner = inner.get(part)
    return tuple(names)


def _clear(values: dict[str, Any], path: tuple[str, ...]) -> None:
    for name in path[:-1]:
        values = values[name]
    values.pop(path[-1], None)


def _numbers_out_of_range(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of NaN, and of infinite numbers that are no perplexities; JSON itself knows neither."""
    for name, value in list(values.items()):
        here = (*path, name)
        if isinstance(value, Mapping):
            yield from _numbers_out_of_range(value, here)
        elif isinstance(value, float) and not math.isfinite(value):
            if math.isnan(value) or name not in UNBOUNDED:
                yield here
        elif isinstance(value, int) and abs(value) > sys.float_info.max:
            yield here


def _without_infinities(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_infinities(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
