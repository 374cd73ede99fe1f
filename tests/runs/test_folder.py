"""The folder of a run, and what is set aside of it."""

from pathlib import Path

import pytest

from tangsweep.errors import UserError
from tangsweep.runs.folder import RunFolder


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
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
