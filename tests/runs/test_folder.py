"""The folder of a run, and what is set aside of it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep import fault_points
from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.runs.folder import RunFolder, set_file_aside
from tangsweep.runs.record import Record
from tangsweep.runs.record_file import write_record
from tangsweep.runs.state import State, state_at_rest


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        RunFolder(tmp_path / "file" / "sweep" / "run").prepare()


def files_below(path: Path) -> dict[str, bytes]:
    files = [file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".lock")]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_set_aside_keeps_everything_but_the_lock(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "sweep" / "run")
    folder.prepare()
    folder.config.write_text("mine")
    folder.lock.write_text("")
    beside = folder.set_aside()
    assert (beside / "config.yaml").read_text() == "mine"
    assert (beside / "checkpoints").is_dir()
    assert not folder.path.exists()
    assert not (beside / ".lock").exists()
    assert RunFolder(beside).replaced and not folder.replaced


@pytest.mark.parametrize("steps", range(6))
def test_a_kill_while_it_is_set_aside_leaves_the_old_or_the_new_state(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every change of a name or an entry is a step; the process is killed before one of them."""
    folder = RunFolder(tmp_path / "sweep" / "run")
    folder.prepare()
    for path in (folder.config, folder.metrics, folder.poems, folder.best, folder.last, folder.lock):
        path.write_text(path.name)
    write_record(folder, Record(schema=2, status="done"))
    before, done = files_below(folder.path), []

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def change_or_die(*arguments: object, **options: object) -> object:
            if len(done) == steps:
                raise KeyboardInterrupt
            done.append(change)
            return change(*arguments, **options)

        return change_or_die

    for name in ("rename", "replace", "unlink", "rmdir"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    with contextlib.suppress(KeyboardInterrupt):
        folder.set_aside()
    state = state_at_rest(folder)
    assert state in (State.DONE, State.MISSING)
    whole = folder.path if state is State.DONE else next((tmp_path / "sweep").glob("run.replaced-*"))
    assert files_below(whole) == before
    assert state is State.DONE or not files_below(folder.path)


def test_a_damaged_file_is_set_aside_under_a_new_name(tmp_path: Path) -> None:
    names = []
    for content in ("one", "two", "three"):
        (tmp_path / "best.ckpt").write_text(content)
        names.append(set_file_aside(tmp_path / "best.ckpt").name)
    assert names == ["best.broken", "best.2.broken", "best.3.broken"]
    assert [(tmp_path / name).read_text() for name in names] == ["one", "two", "three"]


COMMAND = (
    "-m", "optimizer=sgd,adam", "corpus=sample", "data.poems=12", "trainer.max_epochs=2", "model.hidden_size=8",
    "logger=csv", "poems.quality=false", "report=false", "hydra/launcher=basic",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("point", ["set aside@1", "setting aside@2"])
def test_a_command_that_is_killed_while_it_sets_runs_aside(home: Path, point: str) -> None:
    def train(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(REPOSITORY / "src" / "train.py"), *COMMAND, *options]
        environment = {**os.environ, "TANGSWEEP_HOME": str(home), **variables}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=home)

    assert train().returncode == 0
    sweep = home / "outputs" / "optimizer"
    before = [files_below(path) for path in sorted(sweep.iterdir()) if path.is_dir()]
    assert train("rerun=all", **{fault_points.VARIABLE: point}).returncode == -9
    for path in sweep.iterdir():
        folder = RunFolder(path)
        if folder.result.exists():
            assert folder.best.exists() and folder.last.exists() and folder.metrics.exists()
    again = train("rerun=all")
    assert again.returncode == 0, again.stderr
    aside = [files_below(path) for path in sorted(sweep.glob("*.replaced-*"))]
    assert all(files in aside for files in before)
    runs = [RunFolder(path) for path in sweep.iterdir() if path.is_dir() and ".replaced-" not in path.name]
    assert [state_at_rest(run) for run in runs] == [State.DONE, State.DONE]
