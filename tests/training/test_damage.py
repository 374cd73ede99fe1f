"""Damaged files of a run: each is repaired, or named, and no result rests on it."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tangsweep.runs.config_file import read_config
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import COLUMNS
from tangsweep.runs.state import State, state_at_rest
from tangsweep.training import step_groups
from tangsweep.training.job import score_finished_run
from tangsweep.training.module import LanguageModelModule
from tests.conftest import Ran, configured, prepare
from tests.damage import drop_line, flip_bit, flip_exponent_bit, make_old, write_old_record
from tests.training.test_resume import POEMS, SETTINGS, TIMED, same, stop_after

Train = Callable[..., Ran]
Capture = pytest.CaptureFixture[str]
BEST_IS_LAST, BEST_IS_EARLIER = (*POEMS, "optimizer=sgd", "optimizer.lr=0.3"), SETTINGS["patience"]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Scoring sets torch's threads, as training does."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of undisturbed runs, which are trained once."""
    return tmp_path_factory.mktemp("originals")


Undisturbed = Callable[[tuple[str, ...]], RunFolder]


@pytest.fixture
def undisturbed(originals: Path, train: Train) -> Undisturbed:
    """Return the folder of a run of these overrides that nothing has happened to."""

    def train_once(base: tuple[str, ...]) -> RunFolder:
        path = originals / prepare(configured(*base)).name
        if not path.exists():
            shutil.copytree(train("sweep.name=undisturbed", base=base).folder.path, path)
        return RunFolder(path)

    return train_once


def finished(original: RunFolder, base: tuple[str, ...]) -> RunFolder:
    """A copy of a run in the sweep `x`."""
    folder = RunFolder(prepare(configured(*base, "sweep.name=x")).folder)
    shutil.copytree(original.path, folder.path)
    return folder


def unfinished(original: RunFolder, base: tuple[str, ...]) -> RunFolder:
    """The same, killed after its last epoch and before its record."""
    folder = finished(original, base)
    folder.result.unlink()
    assert state_at_rest(folder) is State.CRASHED
    return folder


def stopped(
    train: Train, base: tuple[str, ...], share: float, original: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> RunFolder:
    """A run of the sweep `x` that was stopped by Ctrl-C after a share of its steps."""
    with monkeypatch.context() as patched:
        stop_after(patched, int(share * read_json(original)["steps"]))
        with pytest.raises(KeyboardInterrupt):
            train("sweep.name=x", base=base)
    return RunFolder(prepare(configured(*base, "sweep.name=x")).folder)


def set_aside_beside(folder: RunFolder) -> list[RunFolder]:
    return [RunFolder(path) for path in sorted(folder.path.parent.glob("*.replaced-*"))]


def read_json(folder: RunFolder) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(folder.result.read_text(encoding="utf-8"))
    return record


def change_record(folder: RunFolder, **values: object) -> bytes:
    """Change fields of result.json, remove those that are None, and return its new content."""
    record = {key: value for key, value in (read_json(folder) | values).items() if value is not None}
    write_old_record(folder, record)
    return folder.result.read_bytes()


def damage_file(path: Path, damage: str) -> None:
    if damage == "bit":
        flip_exponent_bit(path)
    elif damage == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()


class TestCheckpoints:
    @pytest.mark.parametrize("damage", ["bit", "missing"])
    def test_a_damaged_last_one_starts_the_run_anew(
        self, train: Train, undisturbed: Undisturbed, damage: str, capsys: Capture
    ) -> None:
        whole = undisturbed(POEMS)
        folder = unfinished(whole, POEMS)
        damage_file(folder.last, damage)
        damaged = {path.name: path.read_bytes() for path in folder.checkpoints.iterdir()}
        train("sweep.name=x", base=POEMS)
        reason = "missing" if damage == "missing" else "damaged (wrong checksum of its part "
        assert f"{folder.path.name}: it starts anew, because last.ckpt is {reason}" in capsys.readouterr().out
        same(folder, whole)
        [aside] = set_aside_beside(folder)
        assert {path.name: path.read_bytes() for path in aside.checkpoints.iterdir()} == damaged
        assert aside.metrics.exists() and aside.poems.exists()

    @pytest.mark.parametrize(
        ("base", "damage", "status"),
        [
            (BEST_IS_LAST, "bit", "crashed"),
            (BEST_IS_LAST, "missing", "failed"),
            (BEST_IS_EARLIER, "bit", "failed"),
            (BEST_IS_EARLIER, "half", "crashed"),
        ],
        ids=["last, bit", "last, missing", "earlier, bit", "earlier, half"],
    )
    def test_a_damaged_best_one(
        self,
        train: Train,
        undisturbed: Undisturbed,
        base: tuple[str, ...],
        damage: str,
        status: str,
        capsys: Capture,
    ) -> None:
        whole = undisturbed(base)
        is_last = read_json(whole)["best_epoch"] == read_json(whole)["epochs"]
        assert is_last == (base is BEST_IS_LAST)
        folder = finished(whole, base)
        folder.result.unlink() if status == "crashed" else change_record(folder, status=status)
        damage_file(folder.best, damage)
        train("sweep.name=x", "rerun=failed" if status == "failed" else "rerun=unfinished", base=base)
        said = capsys.readouterr().out
        same(folder, whole)
        if is_last:
            assert "it is written again from last.ckpt" in said and not set_aside_beside(folder)
            assert (folder.checkpoints / "best.broken").exists() == (damage != "missing")
            LanguageModelModule.load_from_checkpoint(folder.best, weights_only=True)
        else:
            assert "it starts anew, because best.ckpt is " in said and len(set_aside_beside(folder)) == 1

    def test_one_of_another_epoch_is_not_the_best_one(
        self, train: Train, undisturbed: Undisturbed, capsys: Capture
    ) -> None:
        whole = undisturbed(BEST_IS_LAST)
        folder = unfinished(whole, BEST_IS_LAST)
        stale = train("sweep.name=short", "trainer.max_epochs=1", base=BEST_IS_LAST).folder.best
        shutil.copy(stale, folder.best)
        train("sweep.name=x", base=BEST_IS_LAST)
        assert "best.ckpt is of epoch 1, and epoch 4 was the best one" in capsys.readouterr().out
        same(folder, whole)

    def test_a_kill_between_the_two_is_no_damage(
        self, train: Train, undisturbed: Undisturbed, capsys: Capture
    ) -> None:
        """The last write was that of best.ckpt, of epoch 4."""
        whole = undisturbed(BEST_IS_LAST)
        folder = unfinished(whole, BEST_IS_LAST)
        short = train("sweep.name=short", "trainer.max_epochs=3", base=BEST_IS_LAST).folder
        for path in (short.last, short.metrics):
            shutil.copy(path, folder.path / path.relative_to(short.path))
        capsys.readouterr()
        train("sweep.name=x", base=BEST_IS_LAST)
        assert capsys.readouterr().out == f"{folder.path.name} goes on from step 30\n"
        same(folder, whole)

    def test_a_shorter_run_with_a_damaged_one_is_not_extended(
        self, train: Train, undisturbed: Undisturbed, capsys: Capture
    ) -> None:
        shorter = finished(undisturbed(POEMS), POEMS)
        flip_exponent_bit(shorter.last)
        longer = train("sweep.name=x", "trainer.max_epochs=5", "extend=true", base=POEMS)
        assert (
            f"starts anew: {shorter.path.name} cannot go on: last.ckpt is damaged" in capsys.readouterr().out
        )
        assert (longer.result["extended_from"], longer.result["epochs"]) == (None, 5)

    def test_a_finished_run_with_a_damaged_one_is_not_scored(
        self, undisturbed: Undisturbed, capsys: Capture
    ) -> None:
        folder = finished(undisturbed(POEMS), POEMS)
        before = change_record(folder, test=None)
        flip_exponent_bit(folder.best)
        assert not score_finished_run(prepare(configured(*POEMS, "sweep.name=x")))
        assert f"{folder.path.name} is not scored: " in capsys.readouterr().out
        assert folder.result.read_bytes() == before


HOLES: dict[str, Callable[[bytes], bytes | None]] = {
    "dropped row": lambda text: drop_line(text, 5),
    "dropped first evaluation": lambda text: drop_line(text, 1),
    "half": lambda text: text[: len(text) // 2],
    "deleted": lambda text: None,
    "emptied": lambda text: b"",
    "changed digit": lambda text: text.replace(b"4.", b"9.", 1),
    "no text": lambda text: text[:200] + b"\xff\x00" + text[202:],
    "other header": lambda text: text.replace(b"val/loss", b"val/lorz"),
    "written twice": lambda text: text + text,
}


class TestMetrics:
    def test_a_hole_is_filled_from_the_checkpoint(
        self, train: Train, undisturbed: Undisturbed, capsys: Capture
    ) -> None:
        whole = undisturbed(POEMS)
        folder = unfinished(whole, POEMS)
        broken, text = folder.path / "metrics.broken", folder.metrics.read_bytes()
        for hole, damage in HOLES.items():
            damaged = damage(text)
            assert damaged != text, hole
            folder.metrics.unlink() if damaged is None else folder.metrics.write_bytes(damaged)
            train("sweep.name=x", base=POEMS)
            same(folder, whole)
            is_longer = hole == "written twice"  # so are the files of killed runs: rows after the checkpoint
            assert ("metrics.csv was damaged" in capsys.readouterr().out) != is_longer, hole
            assert (broken.read_bytes() if broken.exists() else None) == (None if is_longer else damaged), (
                hole
            )
            broken.unlink(missing_ok=True)
            folder.result.unlink()

    def test_one_in_a_run_that_was_stopped(
        self, train: Train, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        base = SETTINGS["poems"]
        folder = stopped(train, base, 0.6, undisturbed(base), monkeypatch)
        folder.metrics.write_bytes(drop_line(folder.metrics.read_bytes(), 3))
        train("sweep.name=x", base=base)
        assert "metrics.csv was damaged" in capsys.readouterr().out
        same(folder, undisturbed(base))

    def test_one_made_while_the_run_trains_is_filled_at_its_end(
        self, train: Train, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        folder = RunFolder(prepare(configured(*POEMS, "sweep.name=x")).folder)
        with monkeypatch.context() as patch:
            patch.setattr(step_groups, "fault_point", lambda _: folder.metrics.unlink(missing_ok=True))
            train("sweep.name=x", base=POEMS)
        assert "metrics.csv was damaged" in capsys.readouterr().out
        same(folder, undisturbed(POEMS))

    def test_rows_are_on_disk_before_the_record(self, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
        flushed, flush = [], os.fsync

        def noted(descriptor: int) -> None:
            flushed.append(os.fstat(descriptor).st_ino)
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", noted)
        folder = train(base=POEMS).folder
        stored = torch.load(folder.last, weights_only=True)["tangsweep_metrics"]
        assert stored.encode() == folder.metrics.read_bytes()  # so that last.ckpt relies on no other file
        metrics, record = (flushed.index(path.stat().st_ino) for path in (folder.metrics, folder.result))
        assert metrics < record


class TestFinishedRuns:
    """What is found changed after a run has ended does not count, and is not trained again in silence."""

    def test_a_changed_record_is_written_again_from_the_last_checkpoint(
        self, train: Train, undisturbed: Undisturbed, capsys: Capture
    ) -> None:
        whole = undisturbed(POEMS)
        folder = finished(whole, POEMS)
        flip_bit(folder.result, b'"seed": 0')
        changed = folder.result.read_bytes()
        assert state_at_rest(folder) is State.CRASHED
        train("sweep.name=x", base=POEMS)
        said = capsys.readouterr().out.splitlines()
        assert said[0].startswith(f"{folder.path.name}: result.json was changed since it was written")
        assert said[1] == f"{folder.path.name} goes on from step {read_json(whole)['steps']}"
        same(folder, whole)
        assert (folder.path / "result.1.json").read_bytes() == changed

    def test_changed_scores_of_documents_are_written_again(
        self, undisturbed: Undisturbed, capsys: Capture
    ) -> None:
        folder = finished(undisturbed(POEMS), POEMS)
        before, record = folder.document_scores.read_bytes(), folder.result.read_bytes()
        flip_bit(folder.document_scores, b"dev/nats.npy")
        assert score_finished_run(prepare(configured(*POEMS, "sweep.name=x")))
        assert (folder.document_scores.read_bytes(), folder.result.read_bytes()) == (before, record)

    def test_no_checksum_is_made_of_a_changed_file(self, undisturbed: Undisturbed, capsys: Capture) -> None:
        """Scoring a finished run anew writes its record, and with it the checksums of the other files."""
        folder = finished(undisturbed(POEMS), POEMS)
        folder.document_scores.unlink()
        flip_bit(folder.metrics, b"1,1,")
        before = folder.result.read_bytes()
        assert not score_finished_run(prepare(configured(*POEMS, "sweep.name=x")))
        [line] = capsys.readouterr().out.splitlines()
        assert line.startswith(f"{folder.path.name} is not scored: metrics.csv changed since the run ended")
        assert folder.result.read_bytes() == before

    def test_without_its_record_a_run_writes_all_of_them_again(
        self, train: Train, undisturbed: Undisturbed
    ) -> None:
        """The remedy that the report names."""
        whole = undisturbed(POEMS)
        folder = finished(whole, POEMS)
        for path, part in (
            (folder.config, b"seed: 0"),
            (folder.metrics, b"1,1,"),
            (folder.poems, "山".encode()),
        ):
            flip_bit(path, part)
        folder.result.unlink()
        train("sweep.name=x", base=POEMS)
        same(folder, whole)
        assert read_config(folder)["seed"] == 0


class TestOlderCheckpoints:
    """Those of before hold no rows: they go on, bit for bit, and are not called damaged."""

    def test_one_goes_on(
        self, train: Train, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        base = SETTINGS["poems"]
        folder = stopped(train, base, 0.6, undisturbed(base), monkeypatch)
        make_old(folder)
        column = COLUMNS.index("units/distinct")  # which versions before that had not
        lines = [line.split(",") for line in folder.metrics.read_text(encoding="utf-8").splitlines()]
        text = "".join(",".join(line[:column] + line[column + 1 :]) + "\n" for line in lines)
        folder.metrics.write_text(text, encoding="utf-8")
        train("sweep.name=x", base=base)
        assert capsys.readouterr().out.startswith(f"{folder.path.name} goes on from step ")
        assert not list(folder.path.rglob("*.broken"))
        rows = [
            pd.read_csv(run.metrics).drop(columns=[*TIMED, "units/distinct"])
            for run in (folder, undisturbed(base))
        ]
        pd.testing.assert_frame_equal(*rows, check_exact=True)
        shutil.copy(undisturbed(base).metrics, folder.metrics)
        same(folder, undisturbed(base))

    def test_its_lost_rows_are_named(self, train: Train, undisturbed: Undisturbed, capsys: Capture) -> None:
        folder = unfinished(undisturbed(POEMS), POEMS)
        make_old(folder)
        lines = folder.metrics.read_bytes().splitlines(keepends=True)
        [third] = [n for n, line in enumerate(lines) if line.split(b",")[1] == b"3" and line.split(b",")[7]]
        lines[third] = b"\xff,\x00\r\n"
        folder.metrics.write_bytes(b"".join(lines))
        assert train("sweep.name=x", base=POEMS).result["status"] == "done"
        said = capsys.readouterr().out
        assert "metrics.csv has lost rows, among them the evaluations of the epochs 3;" in said
        assert b"\xff,\x00" in (folder.path / "metrics.broken").read_bytes()


class TestClosingScores:
    def test_another_loss_than_the_one_that_was_logged_is_an_error(
        self, train: Train, undisturbed: Undisturbed
    ) -> None:
        folder = unfinished(undisturbed(BEST_IS_EARLIER), BEST_IS_EARLIER)
        before = folder.best.read_bytes()
        change_weights(folder)
        result = train("sweep.name=x", base=BEST_IS_EARLIER).result
        assert result["status"] == "failed"
        assert "the weights in best.ckpt of epoch 1 have a development loss of" in result["error"]
        assert result["dev"] is None
        folder.best.write_bytes(before)
        assert train("sweep.name=x", base=BEST_IS_EARLIER).result["status"] == "done"

    @pytest.mark.parametrize(("factor", "status"), [(1 + 1e-5, "failed"), (1 + 1e-7, "done")])
    def test_so_is_one_of_the_last_weights(
        self, train: Train, undisturbed: Undisturbed, factor: float, status: str
    ) -> None:
        folder = unfinished(undisturbed(POEMS), POEMS)
        make_old(folder)
        *lines, last = folder.metrics.read_text(encoding="utf-8").splitlines()
        values = last.split(",")
        loss = COLUMNS.index("val/loss")
        values[loss] = repr(float(values[loss]) * factor)
        folder.metrics.write_text(
            "".join(f"{line}\n" for line in [*lines, ",".join(values)]), encoding="utf-8"
        )
        result = train("sweep.name=x", base=POEMS).result
        assert result["status"] == status
        if status == "failed":
            assert "the last weights of epoch 4 have a development loss of" in result["error"]

    def test_a_finished_run_of_another_loss_is_not_scored(
        self, undisturbed: Undisturbed, capsys: Capture
    ) -> None:
        folder = finished(undisturbed(POEMS), POEMS)
        before = change_record(folder, test=None)
        change_weights(folder)
        assert not score_finished_run(prepare(configured(*POEMS, "sweep.name=x")))
        assert "is not scored: the weights in best.ckpt of epoch" in capsys.readouterr().out
        assert folder.result.read_bytes() == before


def change_weights(folder: RunFolder) -> None:
    """Write other weights into best.ckpt, with right checksums."""
    content = torch.load(folder.best, weights_only=True)
    for weights in content["state_dict"].values():
        weights *= 1.01
    torch.save(content, folder.best)


def test_rerun_all_sets_a_failed_run_aside(train: Train, undisturbed: Undisturbed, capsys: Capture) -> None:
    folder = finished(undisturbed(POEMS), POEMS)
    change_record(folder, status="failed")
    before = {path.name for path in folder.path.iterdir() if not path.name.startswith(".lock")}
    train("sweep.name=x", "rerun=all", base=POEMS)
    said = capsys.readouterr().out
    assert "it is trained anew" in said and "goes on" not in said
    [aside] = set_aside_beside(folder)
    assert read_json(aside)["status"] == "failed"
    assert {path.name for path in aside.path.iterdir()} == before
    same(folder, undisturbed(POEMS))
