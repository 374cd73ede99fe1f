"""result.json: writes a run's record, and reads it, whatever an older version or a user's hand left in it."""

import copy
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from tangsweep.files import atomic_write, read_regular_file
from tangsweep.metrics import METRICS
from tangsweep.runs import record as record_parts
from tangsweep.runs.checksums import add_checksums, check_own_checksum, checksums_in
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Record, RecordPart

UNBOUNDED = ("perplexity", "perplexity_padded", "perplexity_mean_over_sentences", "perplexity_oov_charged")
SIZES = {  # numbers of these names count, time or score something; a seed does not
    name
    for part in vars(record_parts).values()
    if isinstance(part, type) and issubclass(part, RecordPart)
    for name in part.model_fields.keys() - {"seed"}
}
LARGEST = 1e15  # more than any count or time of a run
LARGEST_LOSS = 1e100  # a run that diverges passes through every size
ROUNDING = 1e-6  # by which a sum of rounded losses may be below 0, or a perplexity below 1
LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # in JSON; it may also be half of a pair


def write_record(folder: RunFolder, record: Record) -> None:
    """Write result.json, whole or not at all, with checksums of the run's files, which `record` then has too.

    NaN and infinity become null. Nothing else writes a record.
    """
    values = add_checksums(folder, _without_infinities(record.model_dump(by_alias=True, exclude_unset=True)))
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    atomic_write(folder.result, text + "\n")
    record.checksums = checksums_in(values)


def read_record(folder: RunFolder) -> Record | None:
    """Return the record, without fields of the wrong type.

    None where there is none, it is no record, or it was changed since it was written.
    """
    try:
        return parse_record(load_values(folder))[0]
    except (OSError, ValueError, RecursionError):
        return None


def load_values(folder: RunFolder) -> object:
    """Return the JSON of result.json, with `?` for what no file can hold.

    Raises OSError, ValueError or RecursionError where there is none, and ChangedFile, which is a ValueError,
    where it was changed since it was written.
    """
    text = read_regular_file(folder.result).decode("utf-8")
    values: object = json.loads(text)
    check_own_checksum(values)
    if LONE_SURROGATE.search(text):
        values = json.loads(json.dumps(values, ensure_ascii=False).encode("utf-8", "replace"))
    return values


def parse_record(values: object) -> tuple[Record, list[str]]:
    """Return a record and the names of fields that were left out because no run writes such a value.

    It is of the wrong type, or a number that cannot be: a negative count, a perplexity below 1.
    Raises ValueError where `values` is no record: no mapping, or without a status.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("status"), str):
        raise ValueError("no record")
    remaining: dict[str, Any] = copy.deepcopy(dict(values))
    wrong: list[str] = []
    for path in [*_impossible_numbers(remaining), *_unknown_metric(remaining)]:
        _clear(remaining, path)
        wrong.append(".".join(path))
    while True:
        try:
            return Record.model_validate(remaining), sorted(wrong)
        except ValidationError as error:
            paths = {_field_path(remaining, detail["loc"]) for detail in error.errors(include_url=False)}
            if () in paths:
                raise ValueError("no record") from error
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


def _impossible_numbers(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        here = (*path, name)
        if isinstance(value, Mapping):
            yield from _impossible_numbers(value, here)
        elif isinstance(value, int | float) and not _is_possible(here, value):
            yield here


def _is_possible(path: tuple[str, ...], value: float) -> bool:
    """Return whether a run may have written this number; NaN never, infinity as a perplexity only.

    JSON itself knows neither. Fields of a later version need only be finite.
    """
    name = path[-1]
    if name in UNBOUNDED:
        return value >= 1 - ROUNDING
    if name == "accuracy":
        return 0 <= value <= 1
    if name in SIZES or path[0] == "baselines":  # which are perplexities, and finite
        largest = LARGEST_LOSS if name.endswith(("loss", "nats", "bits_per_character")) else LARGEST
        return (-ROUNDING if name in SIZES else 1 - ROUNDING) <= value <= largest
    return -sys.float_info.max <= value <= sys.float_info.max


def _unknown_metric(values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    primary = values.get("primary")
    metric = primary.get("metric") if isinstance(primary, Mapping) else None
    return [("primary", "metric")] if isinstance(metric, str) and metric not in METRICS else []


def _without_infinities(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_infinities(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
