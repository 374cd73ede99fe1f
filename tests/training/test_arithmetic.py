"""A training step is the same step, whichever kernel, optimizer or precision computes it."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import torch

from tangsweep.cells import cell as cells
from tangsweep.config.identity import config_hash
from tangsweep.config.optimizer_options import optimizer_arguments
from tangsweep.errors import UserError
from tangsweep.inits import initialize, uniform_scaled
from tangsweep.kernels import native as kernel_build
from tangsweep.language_model import LanguageModel, build_language_model
from tangsweep.tasks.registry import parse_config
from tangsweep.training import assemble
from tangsweep.training.optimizer_factories import optimizer_factories
from tests.conftest import Ran, configured, parsed, prepare

Train = Callable[..., Ran]
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "adagrad", "adadelta", "rmsprop", "nesterov")


def small() -> LanguageModel:
    sizes = {"embed_size": 8, "hidden_size": 16, "layers": 1, "dropout": 0.0}
    model = build_language_model({"name": "lstm"}, sizes, 30).double()
    initialize(model, uniform_scaled, 0.0, seed=1)
    return model


def losses(model: LanguageModel, optimizer: torch.optim.Optimizer, theirs: bool) -> list[float]:
    """Return the losses of 30 steps; with `theirs` by the plain loop, torch's cross-entropy and autograd."""
    values = []
    generator = torch.Generator().manual_seed(5)
    for _ in range(30):
        inputs, targets = (torch.randint(30, (2, 12), generator=generator) for _ in range(2))
        if theirs:
            x, _ = cells.unroll_step_by_step(model.cells[0], model.embedding(inputs.t()))
            logits = model.output(x).transpose(0, 1).flatten(0, 1)
            loss = torch.nn.functional.cross_entropy(logits, targets.flatten())
        else:
            loss = model.loss(inputs, targets)[0].mean
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_is_that_of_the_plain_loop_and_the_plain_optimizer(name: str) -> None:
    config = configured(f"optimizer={name}")
    model, other = small(), small()
    ours = losses(
        model, optimizer_factories(parse_config(config)).make_optimizer(model.parameters()), theirs=False
    )
    kind = getattr(torch.optim, config["optimizer"]["_target_"].rpartition(".")[2])
    options = optimizer_arguments(config["optimizer"])
    theirs = losses(other, kind(other.parameters(), **options, foreach=False), theirs=True)
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_the_fused_optimizer_is_used_where_there_is_one() -> None:
    for name, fused in (("adam", True), ("sgd", True), ("rmsprop", False)):
        optimizer = optimizer_factories(parsed(f"optimizer={name}")).make_optimizer(small().parameters())
        assert bool(optimizer.defaults.get("fused")) == fused
    scaled = optimizer_factories(parsed("trainer.precision=16-mixed")).make_optimizer(small().parameters())
    assert not scaled.defaults["fused"]


@pytest.mark.parametrize(
    ("kernel", "recorded"), [("auto", "native"), ("native", "native"), ("torch", "torch")]
)
def test_the_kernel_is_in_the_record_and_changes_only_rounding(
    train: Train, kernel: str, recorded: str
) -> None:
    options = ("trainer.precision=64-true", "data.batch_size=3")
    result, folder = train(f"cell.kernel={kernel}", *options, f"sweep.name={kernel}")
    assert (result["kernel"], result["gemm"]) == (recorded, "default")
    plain = train("cell.kernel=torch", *options, "sweep.name=plain").folder
    for column in ("train/loss", "val/loss", "train/grad_norm"):
        ours, theirs = (pd.read_csv(f.metrics)[column].dropna() for f in (folder, plain))
        assert ours.tolist() == pytest.approx(theirs.tolist(), rel=1e-9)


def test_the_kernel_is_no_part_of_a_runs_identity() -> None:
    one, other = (config_hash(configured(f"cell.kernel={k}"), "x") for k in ("torch", "native"))
    assert one == other


def test_without_a_compiler_a_run_trains_in_pytorch(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_build, "why_unavailable", lambda real="float": "no C compiler (cc) was found")
    assert train().result["kernel"] == "torch"


def test_the_native_kernel_where_it_cannot_compute() -> None:
    with pytest.raises(
        UserError, match=r"cell\.kernel=native computes on the CPU in 32 or 64 bits, not with"
    ):
        parsed("cell.kernel=native", "trainer.precision=bf16-true")
    with pytest.raises(UserError, match=r"set model\.embed_size=64"):
        parsed("model.tie_weights=true", "model.embed_size=32")


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_low_precision_trains_alike(train: Train, cell: str, precision: str) -> None:
    plain = train(f"cell={cell}", "sweep.name=plain").result["last"]["train"]["loss"]
    low = train(f"cell={cell}", f"trainer.precision={precision}", "sweep.name=low").result
    assert low["status"] == "done"
    assert low["last"]["train"]["loss"] == pytest.approx(plain, rel=0.02)


def test_tied_weights_are_trained_kept_and_read_again(train: Train) -> None:
    from tangsweep.checkpoint import load_model

    result, folder = train("model.tie_weights=true", "model.embed_size=8", "model.hidden_size=8")
    free = train("model.embed_size=8", "model.hidden_size=8", "sweep.name=free").result
    model: Any = load_model(folder.path).model
    assert model.output.weight is model.embedding.weight
    assert free["parameters"] - result["parameters"] == model.embedding.weight.numel()
    with pytest.raises(UserError, match=r"cell=numpy_lstm does not support model\.tie_weights=True"):
        train("cell=numpy_lstm", "model.tie_weights=true", "model.embed_size=8", "model.hidden_size=8")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("low", [None, torch.bfloat16])
def test_a_step_on_a_gpu_equals_that_on_the_cpu(low: torch.dtype | None) -> None:
    """Gradients of the whole step, float32 and under autocast."""
    tolerance = 1e-4 if low is None else 5e-2
    results = []
    for device in ("cpu", "cuda"):
        model = small().float().to(device)
        inputs, targets = (
            torch.randint(30, (4, 20), generator=torch.Generator().manual_seed(n)) for n in (1, 2)
        )
        targets[0, 10:] = -1
        with torch.autocast(device, low or torch.bfloat16, enabled=low is not None):
            loss = model.loss(inputs.to(device), targets.to(device))[0].mean
        loss.backward()
        results.append([loss.detach().cpu(), *(p.grad.cpu() for p in model.parameters())])  # type: ignore[union-attr]
    for a, b in zip(*results, strict=True):
        assert ((a - b).norm() / a.norm()).item() < tolerance


def test_dropout_depends_on_the_step_alone() -> None:
    prepared = prepare(configured("corpus=sample", "model.dropout=0.5"), [])
    module = assemble.build_module(prepared, None)
    [batch, *_] = prepared.task.batches(prepared.encoded, prepared.config).train_batches(0)
    first, again, other = (module.loss(batch, step)["loss"].item() for step in (3, 3, 4))
    assert first == again != other
