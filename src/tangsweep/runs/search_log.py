"""search.jsonl in a sweep's folder: what a search decided, and what it knew when it did.

The first line describes the search. Each other line is one decision, written before its run is launched: a
new trial or a promotion, with the results that have come in since the line before. So the results of all
lines down to one are what was known when it was made, and the file alone reproduces every decision.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from tangsweep.errors import UserError
from tangsweep.fault_points import fault_point
from tangsweep.files import cannot_write, display_path, read_regular_file

FORMAT = 1
FILE_NAME = "search.jsonl"
Header = Mapping[str, object]


class Step(NamedTuple):
    """A trial that is trained for a rung; both are numbered from 0."""

    trial: int
    rung: int


class Result(NamedTuple):
    """How a trial did at a rung."""

    trial: int
    rung: int
    value: float | None  # lower is better; infinite: it diverged; None: its run failed

    @property
    def plain(self) -> dict[str, object]:
        infinite = self.value == float("inf")
        return self._asdict() | ({"value": "diverged"} if infinite else {})

    @classmethod
    def from_plain(cls, values: Mapping[str, object]) -> Self:
        """Raises KeyError and ValueError for what is no result."""
        value = values["value"]
        if value == "diverged":
            value = float("inf")
        if not isinstance(value, float | int | None):
            raise ValueError("no value")
        return cls(int(str(values["trial"])), int(str(values["rung"])), value)


class Setting(NamedTuple):
    """What a new trial tries."""

    arm: str
    branch: int  # of the arm
    parameters: dict[str, str]  # key → value, as overrides have them

    def overrides(self) -> list[str]:
        return [f"{key}={value}" for key, value in self.parameters.items()]


class Line(NamedTuple):
    """A decision; without a step it only holds the last results."""

    step: Step | None
    setting: Setting | None  # of a new trial
    results: tuple[Result, ...]  # that came in since the line before

    @property
    def plain(self) -> dict[str, object]:
        values: dict[str, object] = self.step._asdict() if self.step else {}
        if self.setting:
            values |= self.setting._asdict()
        return values | {"results": [result.plain for result in self.results]}

    @classmethod
    def from_plain(cls, values: Mapping[str, object]) -> Self:
        """Raises KeyError, TypeError and ValueError for what is no line."""
        step, setting, results = None, None, values["results"]
        if "trial" in values:
            step = Step(int(str(values["trial"])), int(str(values["rung"])))
        if "arm" in values:
            parameters = values["parameters"]
            if not isinstance(parameters, Mapping):
                raise ValueError("no parameters")
            texts = {str(key): str(value) for key, value in parameters.items()}
            setting = Setting(str(values["arm"]), int(str(values["branch"])), texts)
        if not isinstance(results, list):
            raise ValueError("no results")
        return cls(step, setting, tuple(Result.from_plain(result) for result in results))


class SearchLog:
    """The file of one search. The caller holds the lock of the sweep's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._size = 0  # bytes of whole lines

    def open(self, header: Header) -> list[Line]:
        """Return the lines after the first, which is written where there is none; cut what a kill left half.

        Raises UserError where the file is of another search, is damaged or cannot be written.
        """
        header = {"format": FORMAT, **header}
        present, lines = read_search(self.path) if self.path.exists() else (None, [])
        self._size = _whole_bytes(self.path)
        if present is None:
            self._append(header)
        elif changed := next((key for key in header if header[key] != present.get(key)), None):
            raise UserError(
                f"{display_path(self.path)} is of another search, whose {changed} was "
                f"{_short(present.get(changed))} and not {_short(header[changed])}: give this one a name of "
                "its own with sweep.name"
            )
        return lines

    def append(self, line: Line) -> None:
        """Write one line, which is on disk when this returns. Raises UserError where the disk is full."""
        self._append(line.plain)

    def _append(self, values: Mapping[str, object]) -> None:
        content = (json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n").encode()
        try:
            with self.path.open("r+b" if self.path.exists() else "xb") as file:
                file.truncate(self._size)
                file.seek(self._size)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._size += len(content)
        fault_point(f"wrote {FILE_NAME}")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _whole_bytes(path: Path) -> int:
    """Return the size of the file without a last line that has no end."""
    return path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0


def read_search(path: Path) -> tuple[Header | None, list[Line]]:
    """Return the first line of a search.jsonl and the others, without one that was cut off at the end.

    The first line is None where not even that was finished. Raises UserError where the file cannot be read or
    a line is damaged.
    """
    try:
        content = read_regular_file(path)
        texts = content[: content.rfind(b"\n") + 1].decode("utf-8").split("\n")[:-1]
    except (OSError, ValueError) as error:
        raise UserError(f"{display_path(path)} cannot be read ({error})") from None
    if not texts:
        return None, []
    lines: list[Line] = []
    try:
        header = json.loads(texts[0])
        if not isinstance(header, dict):
            raise ValueError("no object")
        lines.extend(Line.from_plain(json.loads(text)) for text in texts[1:])
    except (ValueError, KeyError, TypeError, RecursionError):
        number = len(lines) + 2 if lines else "1 or 2"
        raise UserError(
            f"{display_path(path)} is damaged in line {number}: move the file away, and the same command "
            "makes it anew; runs that exist cost nothing"
        ) from None
    return header, lines


def results_of(lines: Sequence[Line]) -> dict[Step, Result]:
    """Return the last result of each trial at each rung."""
    return {Step(r.trial, r.rung): r for line in lines for r in line.results}
