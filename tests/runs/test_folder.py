import errno
import os
from pathlib import Path

import pytest

from tangsweep.errors import UserError
from tangsweep.runs.folder import RunFolder, atomic_write


def test_what_is_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", "水")
    atomic_write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("call", ["fsync", "fdopen"])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    atomic_write(tmp_path / "a", "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(UserError, match=r"cannot write .*No space left on device"):
        atomic_write(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        atomic_write(tmp_path / "file" / "a", "x")
    with pytest.raises(UserError, match="cannot write"):
        RunFolder.create(tmp_path / "file" / "sweep" / "run")


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "sweep" / "run")
    folder.config.write_text("mine")
    with pytest.raises(UserError, match="already holds a run that did not end, and"):
        RunFolder.create(tmp_path / "sweep" / "run")
    folder.result.write_text("{}")
    with pytest.raises(UserError, match="already holds a run, and"):
        RunFolder.create(tmp_path / "sweep" / "run")
    assert (tmp_path / "sweep" / "run" / "config.yaml").read_text() == "mine"
