"""A longer run that goes on from a shorter one equals one that was longer from the start."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from tangsweep.training.extend import copy_shorter_run
from tests.conftest import Ran, configured, prepare, train_prepared
from tests.training.test_resume import BOOK, PALINDROMES, POEMS, RunFolder, same, tale  # noqa: F401

Train = Callable[..., Ran]
LONGER: dict[str, tuple[tuple[str, ...], str, str]] = {
    "poems": ((*POEMS, "model.dropout=0.3", "data.batch_size=2"), "trainer.max_epochs=2", "trainer.max_epochs=5"),
    "one epoch": (POEMS, "trainer.max_epochs=1", "trainer.max_epochs=3"),
    "schedule by epoch": (
        (*POEMS, "optimizer=momentum", "scheduler=exponential"), "trainer.max_epochs=3", "trainer.max_epochs=4",
    ),
    "ended by patience": (
        (*POEMS, "optimizer.lr=0.3", "trainer.patience=1"), "trainer.max_epochs=8", "trainer.max_epochs=9",
    ),
    "book without samples": ((*BOOK, "samples.every=null"), "trainer.max_steps=6", "trainer.max_steps=12"),
    "book": ((*BOOK, "data.windows=contiguous"), "trainer.max_steps=6", "trainer.max_steps=12"),
}  # fmt: skip


def extended(base: tuple[str, ...], *overrides: str, sweep: str = "one") -> Ran:
    config = configured("extend=true", *base, *overrides, f"sweep.name={sweep}")
    return train_prepared(prepare(config, list(overrides)))


@pytest.mark.parametrize("base, short, long", LONGER.values(), ids=LONGER)
def test_equals_one_that_was_longer_from_the_start(
    base: tuple[str, ...], short: str, long: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shorter = extended(base, short)
    kept = {p: p.read_bytes() for p in shorter.folder.path.rglob("*") if p.is_file()}
    longer = extended(base, long)
    assert f"extends {shorter.folder.path.name}" in capsys.readouterr().out
    undisturbed = extended(base, long, sweep="other")
    same(undisturbed.folder, longer.folder)
    assert longer.result["extended_from"] == shorter.folder.path.name
    assert undisturbed.result["extended_from"] is None
    for key in ("dev", "train", "last", "steps", "epochs", "best_epoch", "config_hash", "ended"):
        assert longer.result[key] == undisturbed.result[key]
    assert {p: p.read_bytes() for p in kept} == kept  # the shorter one stays as it was


def test_the_longest_shorter_one_is_gone_on_from(capsys: pytest.CaptureFixture[str]) -> None:
    for epochs in (2, 4, 3):
        extended((*POEMS,), f"trainer.max_epochs={epochs}", "extend=false")
    capsys.readouterr()
    result, folder = extended((*POEMS,), "trainer.max_epochs=5")
    assert "goes on from step" in capsys.readouterr().out
    assert "max_epochs-4" in result["extended_from"]
    assert pd.read_csv(folder.metrics)["epoch"].max() == 5


REFUSED = {
    "cosine": (
        POEMS,
        ("scheduler=cosine", "trainer.max_epochs=2"), ("scheduler=cosine", "trainer.max_epochs=4"),
        "depends on its length",
    ),
    "give up": (
        (*PALINDROMES, "trainer.give_up=true"), ("trainer.max_steps=20",), ("trainer.max_steps=60",),
        "decided whether",
    ),
    "mid-epoch": (
        POEMS,
        ("data.batch_size=2", "trainer.max_steps=7"), ("data.batch_size=2", "trainer.max_steps=12"),
        "ended in mid-epoch",
    ),
}  # fmt: skip


@pytest.mark.parametrize("base, short, long, why", REFUSED.values(), ids=REFUSED)
def test_what_depends_on_the_length_starts_anew(
    base: tuple[str, ...],
    short: tuple[str, ...],
    long: tuple[str, ...],
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    extended(base, *short)
    result, _ = extended(base, *long)
    out = capsys.readouterr().out
    assert "starts anew: " in out
    assert why in out
    assert "goes on from" not in out
    assert result["extended_from"] is None


@pytest.mark.parametrize(
    "other", ["seed=1", "optimizer=sgd", "corpus=sample data.poems=11", "trainer.max_epochs=9"]
)
def test_another_run_is_not_gone_on_from(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    extended(POEMS, *other.split())
    result, _ = extended(POEMS, "trainer.max_epochs=5")
    assert "extends" not in capsys.readouterr().out
    assert result["extended_from"] is None


def test_a_text_that_changed_is_another_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extended(BOOK, "trainer.max_steps=6")
    (home / "tale.txt").write_text("Three little pigs there were, upon a time, once. " * 9, encoding="utf-8")
    result, _ = extended(BOOK, "trainer.max_steps=12")
    assert "extends" not in capsys.readouterr().out
    assert result["extended_from"] is None


def test_a_record_from_before_a_key_was_added_is_gone_on_from(capsys: pytest.CaptureFixture[str]) -> None:
    _, shorter = extended(POEMS, "trainer.max_epochs=2")
    lines = shorter.config.read_text(encoding="utf-8").splitlines(keepends=True)
    before = "".join(line for line in lines if "val_every" not in line and line[0] != "#")  # no checksum then
    shorter.config.write_text(before, encoding="utf-8")
    record = json.loads(shorter.result.read_text(encoding="utf-8"))
    del record["checksums"]
    shorter.result.write_text(json.dumps(record), encoding="utf-8")
    extended(POEMS, "trainer.max_epochs=3")
    assert f"extends {shorter.path.name}" in capsys.readouterr().out


def test_what_starts_anew_after_all_extends_nothing() -> None:
    """Killed while it took over: the last checkpoint, which comes last, is not there."""
    _, shorter = extended(POEMS, "trainer.max_epochs=2")
    prepared = prepare(configured(*POEMS, "trainer.max_epochs=3", "sweep.name=one"), [])
    half = RunFolder(prepared.folder)
    copy_shorter_run(shorter, half)
    half.last.unlink()
    assert train_prepared(prepared).result["extended_from"] is None


def test_without_the_option_nothing_is_extended(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train("trainer.max_epochs=1")
    train("trainer.max_epochs=2")
    assert "extends" not in capsys.readouterr().out


def test_a_shorter_run_without_its_checkpoint_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    first = extended(POEMS, "trainer.max_epochs=2")
    first.folder.last.unlink()
    extended(POEMS, "trainer.max_epochs=3")
    assert "extends" not in capsys.readouterr().out
    assert torch.load(first.folder.best, weights_only=True)
