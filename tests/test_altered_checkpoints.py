"""Altered checkpoints, whose checksums are right: one line each, and nothing is made of their sizes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tangsweep.checkpoint import load_model
from tangsweep.errors import UserError
from tests.conftest import Ran

Content = dict[str, Any]


def model_key(name: str, value: object) -> Callable[[Content], object]:
    return lambda content: content["tangsweep"]["config"]["model"].update({name: value})


def described(**values: object) -> Callable[[Content], object]:
    return lambda content: content["tangsweep"].update(values)


def weights(
    change: Callable[[torch.Tensor], object], name: str = "model.output.bias"
) -> Callable[[Content], object]:
    return lambda content: content["state_dict"].update({name: change(content["state_dict"][name])})


def fill(value: float) -> Callable[[Content], object]:
    return weights(lambda tensor: torch.cat([tensor[1:], torch.tensor([value])]))


def repeat_token(content: Content) -> None:
    content["tangsweep"]["tokens"][5] = content["tangsweep"]["tokens"][6]


def read_three_characters(content: Content) -> None:
    described(inputs=3)(content)
    weights(lambda tensor: tensor[:3], "model.embedding.weight")(content)


# What is altered in a checkpoint, whose checksums are right then, and what the one line says.
ALTERATIONS: dict[str, tuple[Callable[[Content], object], str]] = {
    "negative size": (model_key("hidden_size", -8), "model.hidden_size=-8 is invalid"),
    "size of a million": (model_key("hidden_size", 10**6), "holds weights for another model"),
    "size of a billion": (model_key("hidden_size", 10**9), "a model larger than any memory"),
    "a hundred million layers": (model_key("layers", 10**8), "holds weights for another model"),
    "size in words": (model_key("embed_size", "8"), "model.embed_size='8' is invalid"),
    "certain dropout": (model_key("dropout", 2.0), "model.dropout=2.0 is invalid"),
    "unknown key": (model_key("os.system", "true"), "model.os.system does not exist"),
    "no model": (lambda content: content["tangsweep"]["config"].pop("model"), "it lacks 'model'"),
    "no config": (described(config=None), "its config is of the wrong type"),
    "no task": (lambda content: content["tangsweep"]["config"]["corpus"].update(task=[]), "its task is of the wrong"),
    "token twice": (repeat_token, "holds a token twice"),
    "number as token": (described(tokens=[1, 2]), "something else than text"),
    "no tokens": (described(tokens=[]), "its vocabulary is empty"),
    "inputs beyond memory": (described(inputs=10**12), "holds weights for another model"),
    "too few inputs": (described(inputs=3), "holds weights for another model"),
    "too few inputs and embeddings": (read_three_characters, "it reads 3 of the"),
    "inputs in words": (described(inputs="3"), "its inputs is of the wrong type"),
    "kernel of another kind": (
        lambda content: content["tangsweep"]["config"]["cell"].update(kernel=5), "cell.kernel=5 is invalid"
    ),
    "NaN": (fill(float("nan")), "its weights output.bias hold NaN or infinity"),
    "infinity": (fill(float("inf")), "its weights output.bias hold NaN or infinity"),
    "whole numbers": (weights(lambda tensor: tensor.long()), "output.bias are not stored as plain numbers"),
    "sparse": (weights(lambda tensor: tensor.to_sparse()), "output.bias are not stored as plain numbers"),
    "one number for all": (
        weights(lambda tensor: tensor[:1].clone().expand(len(tensor))), "output.bias are not stored as plain"
    ),
    "no tensor": (weights(lambda tensor: None), "holds weights for another model"),
    "other shape": (weights(lambda tensor: tensor[1:]), "holds weights for another model"),
    "no weights": (lambda content: content.update(state_dict=5), "its state_dict is of the wrong type"),
}  # fmt: skip


def test_an_altered_checkpoint_is_one_line(train: Callable[..., Ran], tmp_path: Path) -> None:
    best, path = train().folder.best, tmp_path / "altered.ckpt"
    assert load_model(best).model.hidden_size == 8
    for name, (alter, complaint) in ALTERATIONS.items():
        content = torch.load(best, weights_only=True)
        alter(content)
        torch.save(content, path)
        with pytest.raises(UserError) as raised:
            load_model(path)
        line = str(raised.value)
        assert line.startswith(f"{path} is not a checkpoint of this version of the project ("), name
        assert complaint in line and line.endswith("train again, or name another") and "\n" not in line, (
            name,
            line,
        )
    torch.save(torch.zeros(3), path)
    with pytest.raises(UserError, match=r"altered\.ckpt is not a readable checkpoint"):
        load_model(path)


def test_a_checkpoint_of_before_lacks_later_keys(train: Callable[..., Ran], tmp_path: Path) -> None:
    content = torch.load(train().folder.best, weights_only=True)
    group = content["tangsweep"]["config"]["model"]
    for name in [name for name in group if name not in ("embed_size", "hidden_size", "layers", "dropout")]:
        del group[name]
    torch.save(content, tmp_path / "old.ckpt")
    assert load_model(tmp_path / "old.ckpt").model.hidden_size == 8


def test_a_pipe_is_no_checkpoint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is no regular file"):
        load_model(tmp_path / "pipe")
