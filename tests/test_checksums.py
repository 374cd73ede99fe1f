"""A checkpoint that was changed since it was written is refused wherever it is read."""

import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

import tangsweep
from tangsweep.checkpoint import DamagedCheckpoint, load_model, read_checkpoint
from tangsweep.commands import generate
from tangsweep.demo.trained_runs import cached_model
from tangsweep.errors import UserError
from tangsweep.runs.folder import RunFolder
from tangsweep.training.callbacks import AtomicCheckpointIO
from tests.conftest import Ran
from tests.damage import flip_exponent_bit

SMALL = {"weights": torch.arange(6.0).reshape(2, 3), "text": "山", "nested": {"step": 7, "rate": 0.1}}


def is_small(content: Mapping[str, object]) -> bool:
    weights = content.get("weights")
    others = {name: value for name, value in content.items() if name != "weights"}
    is_same = isinstance(weights, torch.Tensor) and torch.equal(weights, SMALL["weights"])
    return is_same and others == {"text": SMALL["text"], "nested": SMALL["nested"]}


def check_flips(path: Path, count: int | None) -> None:
    """With one bit changed, a checkpoint is refused or has the content that was written."""
    torch.save(SMALL, path)
    content, refused = path.read_bytes(), 0
    assert is_small(read_checkpoint(path))
    bits = range(8 * len(content))
    for bit in bits if count is None else random.Random(0).sample(bits, count):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert is_small(read_checkpoint(path)), f"bit {bit}"
        except DamagedCheckpoint as error:
            refused += 1
            assert str(error).startswith(f"{path} is not a readable checkpoint (")
            assert "\n" not in str(error)
    assert refused


def test_a_changed_bit_is_named_or_without_effect(tmp_path: Path) -> None:
    check_flips(tmp_path / "x.ckpt", 200)


@pytest.mark.slow
def test_every_changed_bit_is_named_or_without_effect(tmp_path: Path) -> None:
    check_flips(tmp_path / "x.ckpt", None)


READERS: dict[str, Callable[[RunFolder], object]] = {
    "a run's folder": lambda folder: load_model(folder.path),
    "a checkpoint": lambda folder: load_model(folder.best),
    "tangsweep.load_model": lambda folder: tangsweep.load_model(folder.path),
    "generate.py": lambda folder: generate.main(),
    "make demo": cached_model,
    "continuing": lambda folder: AtomicCheckpointIO().load_checkpoint(folder.best),
}


def test_every_reader_compares_checksums(
    train: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train().folder
    monkeypatch.setattr(sys, "argv", ["generate.py", str(folder.path), "--start", "山", "--chars", "5"])
    for reader in READERS.values():
        reader(folder)
    flip_exponent_bit(folder.best)
    capsys.readouterr()
    for reader in READERS.values():
        with pytest.raises(
            DamagedCheckpoint, match=r"best\.ckpt is not a readable checkpoint \(wrong checksum"
        ):
            reader(folder)
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "folder.ckpt").mkdir()
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_checkpoint(tmp_path / "folder.ckpt")
    assert not isinstance(caught.value, DamagedCheckpoint)
