"""search.jsonl survives kills at every byte and a full disk, and names what it does not understand."""

import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tangsweep.errors import UserError
from tangsweep.runs.search_log import Line, Result, SearchLog, Setting, Step, read_search

HEADER = {"space": [{"name": "all", "ends": [1e-4, 1.0]}], "eta": 3, "seed": 0}
LINES = [
    Line(Step(0, 0), Setting("all", 0, {"optimizer.lr": "0.003"}), ()),
    Line(Step(1, 0), Setting("all", 1, {"init": "'山'"}), (Result(0, 0, 5.5),)),
    Line(Step(0, 1), None, (Result(1, 0, float("inf")),)),
    Line(None, None, (Result(0, 1, None),)),
]


def write(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    log = SearchLog(folder)
    assert log.open(HEADER) == []
    for line in LINES:
        log.append(line)
    return log.path


def test_lines_come_back_as_they_were(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert SearchLog(tmp_path).open(HEADER) == LINES
    header, lines = read_search(path)
    assert header is not None
    assert header["eta"] == 3
    assert lines == LINES


def test_a_kill_at_any_byte_loses_at_most_the_line_being_written(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole").read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    (tmp_path / "torn").mkdir()
    path = tmp_path / "torn" / "search.jsonl"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        log = SearchLog(path.parent)
        lines = log.open(HEADER)
        assert lines == LINES[: max(0, sum(end <= size for end in ends) - 1)]
        for line in LINES[len(lines) :]:
            log.append(line)
        assert path.read_bytes() == whole


@pytest.fixture
def room_for() -> Iterator[object]:
    """`room_for(bytes)`: no file can grow beyond that, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path, room_for: object) -> None:
    assert callable(room_for)
    path = write(tmp_path)
    before, log = path.read_bytes(), SearchLog(tmp_path)
    log.open(HEADER)
    room_for(len(before) + 9)
    with pytest.raises(UserError, match=r"cannot write .*search\.jsonl") as error:
        log.append(LINES[0])
    assert "\n" not in str(error.value)
    assert path.read_bytes().startswith(before)
    room_for(resource.RLIM_INFINITY if resource.getrlimit(resource.RLIMIT_FSIZE)[1] < 0 else 10**9)
    again = SearchLog(tmp_path)
    assert again.open(HEADER) == LINES
    again.append(LINES[0])
    assert path.read_bytes() == before + json.dumps(LINES[0].plain, ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize("changed", ["space", "eta", "seed"])
def test_another_search_is_refused_by_what_differs(tmp_path: Path, changed: str) -> None:
    path = write(tmp_path)
    before = path.read_bytes()
    with pytest.raises(UserError, match=f"is of another search, whose {changed} was .*sweep.name"):
        SearchLog(tmp_path).open({**HEADER, changed: 7})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"{}",
        b'{"results": [{"trial": 0}]}',
        b'{"trial": "x", "rung": 0, "results": []}',
        b"\xff",
        b"{",
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_changed(tmp_path: Path, line: bytes) -> None:
    path = write(tmp_path)
    first, second, *others = path.read_bytes().splitlines(keepends=True)
    content = b"".join([first, second, line + b"\n", *others])
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is damaged in line 3|cannot be read") as error:
        SearchLog(tmp_path).open(HEADER)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == content


def test_a_copy_elsewhere_reads_alike(tmp_path: Path) -> None:
    shutil.copy(write(tmp_path / "a"), tmp_path / "copy.jsonl")
    assert read_search(tmp_path / "copy.jsonl")[1] == LINES
