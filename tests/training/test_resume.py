"""Interrupted equals uninterrupted, bit for bit; nothing that was good is lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.state import State, run_state, state_at_rest
from tangsweep.training import run as training_run
from tangsweep.training import step_groups
from tests.conftest import DIVERGES_IN_EPOCH_2, QUIET, Ran, configured, prepare
from tests.damage import write_old_record
from tests.training import wandb_file

Train = Callable[..., Ran]
TIMED = ["seconds", "characters_per_second"]
POEMS = (
    "corpus=sample",
    "data.poems=12",
    "model.hidden_size=8",
    "model.embed_size=8",
    "trainer.max_epochs=4",
    *QUIET,
)
BOOK = (
    "corpus=book", "corpus.path=tale.txt", "data.seq_len=7", "data.batch_size=3", "model.hidden_size=8",
    "trainer.max_steps=12", "trainer.val_every=3", "samples.every=2", "samples.length=9", "logger=csv",
)  # fmt: skip
PALINDROMES = (
    "corpus=palindromes", "corpus.length=3", "data.dev_size=40", "trainer.val_every=20", "optimizer.lr=0.01",
    "model.hidden_size=16", "trainer.max_steps=2000", "logger=csv",
)  # fmt: skip
SETTINGS: dict[str, tuple[str, ...]] = {
    "poems": (*POEMS, "model.dropout=0.3", "data.batch_size=2", "trainer.log_every=3"),
    "momentum, schedule": (*POEMS, "optimizer=momentum", "scheduler=exponential", "scheduler.gamma=0.5"),
    "cosine": (*POEMS, "scheduler=cosine", "optimizer=rmsprop"),
    "patience": (*POEMS, "optimizer.lr=0.3", "trainer.patience=1", "trainer.max_epochs=9"),
    "moving average": (*POEMS, "trainer.ema_decay=0.8", "optimizer=adamw", "optimizer.decay=matrices"),
    "mean after patience": (*POEMS, "trainer.average_after=1", "optimizer.lr=0.1", "trainer.max_epochs=6"),
    "muon": (*POEMS, "optimizer=muon", "model.output_size=6", "model.layers=2"),
    "schedule-free": (*POEMS, "optimizer=schedule_free_adamw", "model.tie_weights=true"),
    "soap": (*POEMS, "optimizer=soap", "optimizer.precondition_frequency=2", "data.batch_size=3"),
    "lion": (*POEMS, "optimizer=lion"),
    "numpy": (*POEMS, "cell=numpy_lstm"),
    "diverging": (
        *POEMS,
        *DIVERGES_IN_EPOCH_2,
        "data.batch_size=3",
    ),
    "book, carried state": (*BOOK, "data.windows=contiguous", "cell=gru"),
    "book, random windows": (*BOOK, "cell=phased_lstm"),
    "palindromes": PALINDROMES,
}


@pytest.fixture(autouse=True)
def tale(home: Path) -> None:
    (home / "tale.txt").write_text("Once upon a time there were three little pigs. " * 9, encoding="utf-8")


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Ctrl-C after so many optimizer steps of this attempt."""
    seen: list[str] = []

    def counted(name: str) -> None:
        seen.append(name)
        if name == "step" and seen.count(name) == steps:
            raise KeyboardInterrupt

    monkeypatch.setattr(step_groups, "fault_point", counted)


def same(one: RunFolder, other: RunFolder) -> None:
    """Every column but the timing ones, every score, every weight, every text."""
    frames = [pd.read_csv(f.metrics).drop(columns=TIMED) for f in (one, other)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)
    results = [json.loads(f.result.read_text(encoding="utf-8")) for f in (one, other)]
    for key in ("status", "train", "dev", "last", "best_epoch", "epochs", "steps", "ended", "solved_step"):
        assert results[0][key] == results[1][key], key
    for name in ("last", "best"):
        first, second = (torch.load(getattr(f, name), weights_only=True)["state_dict"] for f in (one, other))
        assert all(torch.equal(first[key], second[key]) for key in first)
    for name in ("poems", "samples"):
        texts = [getattr(f, name).read_text() if getattr(f, name).exists() else None for f in (one, other)]
        assert texts[0] == texts[1]


@pytest.mark.parametrize("setting", SETTINGS)
def test_stopped_twice_and_continued_equals_undisturbed(
    setting: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = SETTINGS[setting]
    whole = train("sweep.name=whole", base=base)
    steps = whole.result["steps"]
    folder = RunFolder(prepare(configured(*base, "sweep.name=stopped"), []).folder)
    for attempt in (max(1, int(0.6 * steps)), 1):
        with monkeypatch.context() as patched:
            stop_after(patched, attempt)
            with pytest.raises(KeyboardInterrupt):
                train("sweep.name=stopped", base=base)
        assert run_state(folder) is State.INTERRUPTED
    result = train("sweep.name=stopped", base=base).result
    assert result["status"] == whole.result["status"]
    same(folder, whole.folder)
    assert not folder.interrupted.exists()
    assert result["seconds"] > 0


@pytest.mark.parametrize("setting", ["poems", "patience", "palindromes", "moving average"])
def test_stopped_after_training_and_before_the_record(
    setting: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = SETTINGS[setting]
    whole = train("sweep.name=whole", base=base)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training_run, "record_final_scores", stopped)
        with pytest.raises(KeyboardInterrupt):
            train("sweep.name=stopped", base=base)
    same(train("sweep.name=stopped", base=base).folder, whole.folder)


def test_a_finished_run_is_left_alone_and_trained_anew_only_where_asked(train: Train) -> None:
    first = train(base=POEMS)
    before = first.folder.result.read_bytes()
    again = train(base=POEMS)
    assert again.result["skipped"]
    assert first.folder.result.read_bytes() == before
    anew = train("rerun=all", base=POEMS)
    assert "skipped" not in anew.result
    [aside] = first.folder.path.parent.glob("*.replaced-*")
    assert (aside / "result.json").read_bytes() == before
    assert (aside / "checkpoints" / "best.ckpt").exists()
    same(first.folder, RunFolder(aside))


@pytest.mark.parametrize(
    ("status", "rerun", "trained"),
    [
        ("diverged", "unfinished", False),
        ("diverged", "diverged", True),
        ("diverged", "failed", False),
        ("failed", "unfinished", True),
        ("failed", "none", False),
        ("done", "failed", False),
    ],
)
def test_rerun_chooses_by_state(train: Train, status: str, rerun: str, trained: bool) -> None:
    folder = train(base=POEMS).folder
    result = json.loads(folder.result.read_text())
    write_old_record(folder, result | {"status": status})
    again = train(f"rerun={rerun}", base=POEMS).result
    assert again.get("skipped", False) != trained
    assert again["status"] == ("done" if trained else status)


def test_a_failed_run_goes_on_and_its_record_is_kept(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train("sweep.name=whole", base=POEMS)

    def broken(*_: object) -> None:
        raise RuntimeError("the disk was full")

    with monkeypatch.context() as patched:
        patched.setattr(training_run, "record_final_scores", broken)
        assert train("sweep.name=x", base=POEMS).result["status"] == "failed"
    folder = train("sweep.name=x", base=POEMS).folder
    same(folder, whole.folder)
    assert "the disk was full" in json.loads((folder.path / "result.1.json").read_text())["error"]


def test_a_record_cut_in_half(train: Train) -> None:
    whole, folder = train("sweep.name=whole", base=POEMS), train("sweep.name=x", base=POEMS).folder
    folder.result.write_bytes(folder.result.read_bytes()[: folder.result.stat().st_size // 2])
    assert state_at_rest(folder) is State.CRASHED
    assert train("sweep.name=x", base=POEMS).result["status"] == "done"
    same(folder, whole.folder)


def test_a_run_that_another_process_trains_is_left_to_it(train: Train) -> None:
    folder = RunFolder(prepare(configured(*POEMS), []).folder)
    with lock.hold_lock(folder):
        assert run_state(folder) is State.RUNNING
        result = train(base=POEMS).result
    assert result["status"] == "running"
    assert "process " in result["holder"]
    assert run_state(folder) is State.MISSING
    assert train(base=POEMS).result["status"] == "done"


class TestWandb:
    BASE = ("logger=wandb", *(o for o in POEMS if o != "logger=csv"))

    def test_one_history_under_one_id(self, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            stop_after(patched, 15)
            with pytest.raises(KeyboardInterrupt):
                train(base=self.BASE)
        result, folder = train(base=self.BASE)
        assert len(list(folder.path.glob("wandb/superseded/offline-run-*"))) == 1
        offline = wandb_file.read(folder.path)
        assert offline.id == result["wandb"]["id"]
        assert offline.exit_codes == [0]
        rows = pd.read_csv(folder.metrics)
        for name in ("train/loss", "val/loss", "lr", "train/epoch_loss"):
            logged = [json.loads(row[name]) for row in offline.history if name in row]
            assert logged == pytest.approx(rows[name].dropna().tolist()), name


def test_a_folder_that_wandb_made_again_is_superseded_again(home: Path) -> None:
    """Its own process outlived the run that was killed, and wrote on where its files had been."""
    from tangsweep.runs.wandb_names import set_aside_offline_runs

    folder = RunFolder(home / "run")
    for content in ("first", "again", "and again"):
        made = folder.path / "wandb" / "offline-run-20261120_234437-abc"
        made.mkdir(parents=True)
        (made / "run.wandb").write_text(content)
        set_aside_offline_runs(folder)
        assert not made.exists()
    kept = (folder.path / "wandb" / "superseded").glob("offline-run-*/run.wandb")
    assert sorted(path.read_text() for path in kept) == ["again", "and again", "first"]
