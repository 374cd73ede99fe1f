"""cell=numpy_lstm trains as cell=lstm does, with NumPy's arithmetic."""

import copy
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from tangsweep.cells.lstm import LSTM, State
from tangsweep.errors import UserError
from tangsweep.inits import initialize, uniform
from tangsweep.language_model import LanguageModel, build_language_model
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.runs.mirror import Mirrors
from tangsweep.training import assemble, numpy_bridge
from tangsweep.training.group_loader import StepGroupLoader
from tangsweep.training.numpy_bridge import NumpyLanguageModel, NumpyOptimizer
from tangsweep.training.pause import PauseAtEpoch
from tests.conftest import QUIET, SMALL, Ran, configured, prepare

Train = Callable[..., Ran]


def pair(V: int = 9, E: int = 4, H: int = 5) -> tuple[NumpyLanguageModel, LanguageModel]:
    models = []
    for _ in range(2):
        model = build_language_model(
            {"name": "lstm"}, {"embed_size": E, "hidden_size": H, "layers": 1, "dropout": 0.0}, V
        ).double()
        initialize(model, uniform, 1.0, seed=2)
        models.append(model)
    return NumpyLanguageModel(models[0]), models[1]


def nats_by_torch(model: LanguageModel, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the nats (B, T) by torch's cross-entropy on the logits."""
    logits = model(inputs)[0].flatten(0, 1)
    losses = torch.nn.functional.cross_entropy(logits, targets.flatten(), ignore_index=-1, reduction="none")
    return losses.view_as(targets)


def test_nats_and_gradients_are_the_torch_models() -> None:
    ours, theirs = pair()
    torch.manual_seed(0)
    inputs, targets = torch.randint(9, (3, 6)), torch.randint(9, (3, 6))
    targets[0, 2:] = -1
    incoming = torch.randn(3, 6, dtype=torch.float64)
    a, b = ours.nats(inputs, targets)[0], nats_by_torch(theirs, inputs, targets)
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    a.backward(incoming)
    b.backward(incoming)
    mine, other = (dict(m.named_parameters()) for m in (ours, theirs))
    assert set(mine) == set(other)
    for name in other:
        torch.testing.assert_close(mine[name].grad, other[name].grad, rtol=1e-10, atol=1e-10, msg=name)


def test_logits_and_state_carry_on() -> None:
    ours, theirs = pair()
    ids = torch.randint(9, (2, 7))
    whole, _ = theirs(ids)
    first, carry = ours(ids[:, :3])
    rest, (states, steps) = ours(ids[:, 3:], None, carry)
    torch.testing.assert_close(torch.cat([first, rest], 1), whole, rtol=1e-12, atol=1e-12)
    assert isinstance(states[0], State)
    assert steps == 7


def test_misuse_is_an_error_and_never_a_wrong_gradient() -> None:
    ours, _ = pair()
    inputs = torch.randint(9, (2, 4))
    total = ours.nats(inputs, inputs)[0].sum()
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="second backward pass"):
        total.backward()
    total = ours.nats(inputs, inputs)[0].sum()
    with torch.no_grad():
        ours.output.bias.add_(1)
    with pytest.raises(RuntimeError, match="changed between"):
        total.backward()
    with pytest.raises(ValueError, match="no position is scored"):
        ours.nats(inputs, torch.full_like(inputs, -1))


def test_an_optimizer_can_be_copied() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = numpy_bridge.numpy_optimizer_factory({"_target_": "torch.optim.Adam", "lr": 0.1})([parameter])
    twin = copy.deepcopy(optimizer)
    [copied] = twin.param_groups[0]["params"]
    copied.grad = torch.ones(2)
    twin.step()
    assert copied.tolist() == pytest.approx([0.9, 0.9])
    assert parameter.tolist() == [1, 1]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
@pytest.mark.parametrize(("precision", "tolerance"), [("32-true", 1e-5), ("64-true", 1e-9)])
def test_the_same_loss_curve_over_a_hundred_steps(
    train: Train, optimizer: str, precision: str, tolerance: float
) -> None:
    options = [f"optimizer={optimizer}", f"trainer.precision={precision}", "trainer.log_every=1"]
    length = ["trainer.max_steps=100", "trainer.max_epochs=null", "optimizer.lr=0.1"]
    ours, theirs = (
        pd.read_csv(train(f"cell={cell}", *options, *length).folder.metrics)
        for cell in ("numpy_lstm", "lstm")
    )
    assert ours["step"].max() == 100
    for column in ("train/loss", "val/loss"):
        np.testing.assert_allclose(ours[column], theirs[column], rtol=tolerance)


@pytest.mark.parametrize(
    "optimizer", ["sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam"]
)
def test_no_optimizer_or_cell_of_torch_is_used(
    train: Train, optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("torch did the work")

    for name in ("SGD", "Adagrad", "Adadelta", "RMSprop", "Adam"):
        monkeypatch.setattr(getattr(torch.optim, name), "__init__", refuse)
        monkeypatch.setattr(getattr(torch.optim, name), "step", refuse)
    monkeypatch.setattr(LSTM, "step", refuse)
    monkeypatch.setattr(LSTM, "project", refuse)
    result, folder = train("cell=numpy_lstm", f"optimizer={optimizer}")
    assert (result["status"], result["kernel"]) == ("done", "numpy")
    assert "山" in folder.poems.read_text(encoding="utf-8")
    assert json.loads(folder.result.read_text())["steps"] > 0


def test_a_schedule_reaches_the_rule(train: Train) -> None:
    options = ["scheduler=exponential", "scheduler.gamma=0.1", "optimizer=sgd", "trainer.precision=64-true"]
    ours, theirs = (
        train(f"cell={c}", *options).result["last"]["dev"]["loss"] for c in ("numpy_lstm", "lstm")
    )
    assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_stopped_after_an_epoch_and_continued_equals_uninterrupted(train: Train, optimizer: str) -> None:
    options = ["cell=numpy_lstm", f"optimizer={optimizer}"]
    whole = train(*options, "trainer.max_epochs=2").folder
    half = train(*options, "trainer.max_epochs=1").folder
    prepared = prepare(configured(*SMALL, *QUIET, *options, "trainer.max_epochs=2"), [])
    batches = prepared.task.batches(prepared.encoded, prepared.config)
    module = assemble.build_module(prepared, None)
    metrics_file = MetricsFile(half.metrics)
    mirrors = Mirrors({}, metrics_file.rows)
    callbacks = assemble.build_callbacks(prepared, half, batches, metrics_file, mirrors, PauseAtEpoch(None))
    trainer = assemble.build_trainer(prepared.config, half, callbacks)
    trainer.fit(
        module,
        datamodule=StepGroupLoader(prepared.encoded, batches, [10], None),
        ckpt_path=half.last,
        weights_only=True,
    )
    metrics_file.close()
    ours, theirs = (torch.load(f.last, weights_only=True) for f in (half, whole))
    for name, tensor in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], tensor), name
    mine, other = (c["optimizer_states"][0]["state"] for c in (ours, theirs))
    assert all(torch.equal(mine[i][name], other[i][name]) for i in other for name in other[i])
    assert other[0]


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("optimizer=adamw", "has no optimizer AdamW: there are SGD, Adagrad, Adadelta, RMSprop, Adam"),
        ("model.layers=2", "does not support model.layers=2: set it to 1"),
        ("model.dropout=0.5", "does not support model.dropout=0.5: set it to 0"),
        ("+optimizer.centered=true", "has no optimizer.centered for Adam"),
        ("optimizer.betas=[0.9,1.5]", r"optimizer\.betas=.* is invalid"),
        ("trainer.precision=bf16-mixed", "does not support trainer.precision=bf16-mixed"),
        ("trainer=gpu", "does not support trainer.accelerator=gpu"),
    ],
)
def test_what_it_does_not_support_is_one_line_before_anything_is_written(
    override: str, complaint: str, home
) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=complaint):
        prepare(configured(*SMALL, *QUIET, "cell=numpy_lstm", override), [])
    assert not (home / "outputs").exists()


def test_the_optimizer_comes_from_the_same_files() -> None:
    build_optimizer = numpy_bridge.numpy_optimizer_factory(
        {"_target_": "torch.optim.RMSprop", "_partial_": True, "lr": 0.5, "alpha": 0.8}
    )
    optimizer = build_optimizer([torch.nn.Parameter(torch.zeros(2))])
    assert isinstance(optimizer, NumpyOptimizer)
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["alpha"]) == (0.5, 0.8)
