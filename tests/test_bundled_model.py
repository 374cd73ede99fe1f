"""The model that comes with the project, and how one is made of a run."""

import hashlib
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tangsweep import bundled_model
from tangsweep.bundled_model import BUNDLED_MODEL, bundled_run, write_bundled_model
from tangsweep.checkpoint import load_model
from tangsweep.errors import UserError
from tangsweep.generation.compose import compose_poems
from tangsweep.generation.request import GenerationRequest
from tangsweep.prosody import tables
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record_file import read_record
from tests.conftest import QUIET, SMALL, Ran, RunCommand

MEGABYTES = 10


def test_it_is_small_whole_and_of_all_poems() -> None:
    folder = bundled_run()
    assert folder.best.stat().st_size < MEGABYTES * 1e6
    listed = (BUNDLED_MODEL / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    for line in listed:
        checksum, name = line.split("  ")
        assert hashlib.sha256((BUNDLED_MODEL / name).read_bytes()).hexdigest() == checksum
    assert {line.split("  ")[1] for line in listed} >= {"checkpoints/best.ckpt", "config.yaml", "result.json"}
    stored = torch.load(folder.best, weights_only=True)
    assert {weight.dtype for weight in stored["state_dict"].values()} == {torch.float16}
    record = read_record(folder)
    assert record is not None and record.git is not None
    assert (record.status, record.git.dirty) == ("done", False)
    assert record.corpus is not None and record.corpus.verified
    trained = load_model(folder.path)
    assert trained.config["data"]["poems"] is None
    assert record.parameters == sum(weight.numel() for weight in trained.model.parameters())


def lengths_of_lines(text: str) -> list[int]:
    return [len(line) for line in re.findall("[^，。\\s]+", text)]


def test_it_writes_poems_of_every_form() -> None:
    trained = load_model(bundled_run().path)
    for form, shape in {"wujue": [5] * 4, "qijue": [7] * 4, "wulu": [5] * 8, "qilu": [7] * 8}.items():
        request = GenerationRequest(start="山", form=form)
        [poem] = compose_poems(trained, request, tables.cached_prosody, 0).poems
        assert lengths_of_lines(poem.text) == shape


@pytest.mark.parametrize("damage", ["changed", "missing", "none"])
def test_a_damaged_one_is_refused_in_one_line(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = RunFolder(tmp_path / "model")
    if damage != "none":
        shutil.copytree(BUNDLED_MODEL, copy.path)
        assert bundled_run().path == BUNDLED_MODEL
    if damage == "changed":
        content = bytearray(copy.best.read_bytes())
        content[len(content) // 2] ^= 1
        copy.best.write_bytes(content)
    elif damage == "missing":
        copy.config.unlink()
    monkeypatch.setattr(bundled_model, "BUNDLED_MODEL", copy.path)
    with pytest.raises(UserError, match="git checkout data/model") as error:
        bundled_run()
    assert "\n" not in str(error.value)


def test_one_is_made_of_a_run(
    train: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train("model.tie_weights=true", base=(*SMALL, *QUIET)).folder
    target = tmp_path / "model"
    target.mkdir()
    (target / "README.md").write_text("by hand", encoding="utf-8")
    write_bundled_model(run, target)
    monkeypatch.setattr(bundled_model, "BUNDLED_MODEL", target)
    folder = bundled_run()
    ours, theirs = load_model(folder.path), load_model(run.path)
    assert ours.vocabulary.tokens == theirs.vocabulary.tokens
    for name, weight in theirs.model.state_dict().items():
        assert torch.equal(ours.model.state_dict()[name], weight.half().float())
    assert ours.model.output.weight is ours.model.embedding_weight
    unique = {weight.data_ptr(): weight.nbytes for weight in theirs.model.state_dict().values()}
    overhead = 40_000  # vocabulary, config, the archive
    assert folder.best.stat().st_size < sum(unique.values()) / 2 + overhead
    assert read_record(folder) == read_record(run)
    with pytest.raises(UserError, match="is not empty"):
        write_bundled_model(run, target)
    run.result.unlink()
    with pytest.raises(UserError, match="that has ended"):
        write_bundled_model(run, tmp_path / "other")
    monkeypatch.setattr(sys, "argv", ["bundled_model"])
    with pytest.raises(UserError, match="run is missing: --help shows what the command takes"):
        bundled_model.main()


def test_poems_without_a_model_of_ones_own(run_command: RunCommand) -> None:
    done = run_command("generate --start 日")
    assert done.status == 0, done.err
    assert lengths_of_lines(done.out) == [7] * 4
    assert "日" in done.out
