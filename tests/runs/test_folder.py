import errno
import os
from pathlib import Path

import pytest

from tangsweep.errors import UserError
from tangsweep.files import atomic_write
from tangsweep.runs.folder import RunFolder


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
        RunFolder(tmp_path / "file" / "sweep" / "run").prepare()


def test_set_aside_keeps_everything_but_the_lock(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "sweep" / "run")
    folder.prepare()
    folder.config.write_text("mine")
    folder.lock.write_text("")
    beside = folder.set_aside()
    assert (beside / "config.yaml").read_text() == "mine"
    assert (beside / "checkpoints").is_dir()
    assert [p.name for p in folder.path.iterdir()] == [".lock"]
    assert RunFolder(beside).replaced and not folder.replaced
