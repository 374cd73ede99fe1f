"""Checksums of what a run left. result.json, which is written last, has those of the other files and its own.

So a file that a disk, a copy or a hand changed later is seen, whatever it says now. Records without checksums
are of an earlier version, or were written by somebody else; of these nothing is known.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tangsweep.files import checksum_of, read_regular_file
from tangsweep.runs.folder import RunFolder

KEY = "checksums"  # in result.json
OWN = "result.json"  # in the mapping below that key: of all else in it
CHECKSUM = "checksum"  # in other JSON: of all else in it
WAS_CHANGED = "was changed since it was written"


class ChangedFile(ValueError):
    """A file whose content is not what was written."""


def add_checksums(folder: RunFolder, values: Mapping[str, object]) -> dict[str, object]:
    """Return the JSON of a record with the checksums of the run's files as they lie there, and its own."""
    files = {}
    for path in (folder.config, folder.metrics, folder.document_scores, folder.poems, folder.samples):
        with contextlib.suppress(OSError):  # a run need not have each of them
            files[path.name] = checksum_of(read_regular_file(path))
    return {**values, KEY: {**files, OWN: checksum_of_values({**values, KEY: files})}}


def check_own_checksum(values: object) -> None:
    """Raise ChangedFile where the JSON of a record has checksums, and its own is wrong."""
    if not isinstance(values, Mapping) or values.get(KEY) is None:
        return
    checksums = values[KEY]
    if not isinstance(checksums, Mapping):
        raise ChangedFile(WAS_CHANGED)
    files = {name: checksum for name, checksum in checksums.items() if name != OWN}
    if checksums.get(OWN) != checksum_of_values({**values, KEY: files}):
        raise ChangedFile(WAS_CHANGED)


def checksum_of_values(values: Mapping[str, object]) -> str:
    """Return a checksum of JSON: the order of keys and the layout of the file do not count."""
    return checksum_of(json.dumps(values, sort_keys=True).encode("ascii"))


def check_checksum(values: Mapping[str, object]) -> None:
    """Raise ChangedFile where JSON has a checksum of all else in it, and that is wrong."""
    others = {name: value for name, value in values.items() if name != CHECKSUM}
    if CHECKSUM in values and values[CHECKSUM] != checksum_of_values(others):
        raise ChangedFile(WAS_CHANGED)


def checksums_in(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the checksums in the JSON of a record. Raises KeyError or TypeError where it has none."""
    return dict(values[KEY])


def recorded_checksums(folder: RunFolder) -> Mapping[str, str]:
    """Return the checksums in result.json, by file name; none where it has none, or was changed itself."""
    try:
        values = json.loads(read_regular_file(folder.result))
        check_own_checksum(values)
        return checksums_in(values)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def is_changed(path: Path, checksums: Mapping[str, str] | None) -> bool:
    """Return whether a file is another than the one with these `checksums`, by file name, or cannot be read.

    False where they have none of it.
    """
    expected = (checksums or {}).get(path.name)
    if expected is None:
        return False
    try:
        return checksum_of(read_regular_file(path)) != expected
    except OSError:
        return True
