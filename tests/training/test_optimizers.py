"""The optimizers of conf/optimizer/ follow their papers, and score the weights that are to be scored."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import pytorch_lightning as L
import schedulefree
import torch
from torch import nn

from tangsweep.checkpoint import load_model
from tangsweep.data_modules.tang import TangDataModule
from tangsweep.errors import UserError
from tangsweep.language_model import build_language_model
from tangsweep.training.averaging_optimizer import AveragingOptimizer, average_of_optimizer
from tangsweep.training.module import LanguageModelModule
from tangsweep.training.muon import Muon, orthogonalize
from tangsweep.training.optimizer_factories import optimizer_factories
from tangsweep.training.parameter_groups import build_optimizer, parameter_groups
from tests.conftest import Ran, parsed
from tests.training.test_resume import POEMS

Matrix = npt.NDArray[np.float64]
Rule = Iterator[
    Callable[[Matrix, Matrix], Matrix]
]  # of step after step: a weight and its gradient → the weight
LR, DECAY, STEPS = 0.05, 0.1, 7


def adamw() -> Rule:
    """Loshchilov and Hutter 2019, algorithm 2."""
    m, v = 0.0, 0.0
    for t in range(1, STEPS + 1):

        def update(w: Matrix, g: Matrix, t: int = t) -> Matrix:
            nonlocal m, v
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            step = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            return w - LR * (step + DECAY * w)

        yield update


def nadamw() -> Rule:
    """Dozat 2016, algorithm 2, with the schedule of section 4, and decay as in AdamW."""
    m, v, product = 0.0, 0.0, 1.0
    for t in range(1, STEPS + 1):

        def update(w: Matrix, g: Matrix, t: int = t) -> Matrix:
            nonlocal m, v, product
            mu, mu_next = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * s)) for s in (t, t + 1))
            product *= mu
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            mean = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
            return w * (1 - LR * DECAY) - LR * mean / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

        yield update


def lion() -> Rule:
    """Chen et al. 2023, algorithm 2."""
    m = 0.0
    for _ in range(STEPS):

        def update(w: Matrix, g: Matrix) -> Matrix:
            nonlocal m
            direction = np.sign(0.9 * m + 0.1 * g)
            m = 0.99 * m + 0.01 * g
            return w - LR * (direction + DECAY * w)

        yield update


def soap() -> Rule:
    """Vyas et al. 2025, algorithm 3: the first gradient makes the bases; Adam in them, the mean outside."""
    left, right, m, v = 0.0, 0.0, 0.0, 0.0
    bases: list[Matrix] = []
    for t in range(STEPS):

        def update(w: Matrix, g: Matrix, t: int = t) -> Matrix:
            nonlocal left, right, m, v
            if t > 0:
                ql, qr = bases
                m, v = 0.95 * m + 0.05 * g, 0.95 * v + 0.05 * (ql.T @ g @ qr) ** 2
                correction = math.sqrt(1 - 0.95**t) / (1 - 0.95**t)
                w = w - LR * correction * ql @ ((ql.T @ m @ qr) / (np.sqrt(v) + 1e-8)) @ qr.T
                w = w * (1 - LR * DECAY)
            left, right = 0.95 * left + 0.05 * g @ g.T, 0.95 * right + 0.05 * g.T @ g
            if t == 0:
                bases[:] = [np.linalg.eigh(factor)[1][:, ::-1] for factor in (left, right)]
            return w

        yield update


RULES: dict[str, tuple[Callable[[], Rule], tuple[str, ...]]] = {
    "adamw": (adamw, ()),
    "nadamw": (nadamw, ("optimizer.kernel=torch",)),
    "lion": (lion, ()),
    "soap": (soap, ("optimizer.precondition_frequency=100",)),
}


def gradients(shape: tuple[int, int]) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    while True:
        yield torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", RULES)
def test_an_optimizer_follows_its_paper(name: str) -> None:
    rule, options = RULES[name]
    config = parsed(f"optimizer={name}", f"optimizer.lr={LR}", f"optimizer.weight_decay={DECAY}", *options)
    weight = nn.Parameter(torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    expected = weight.detach().numpy().copy()
    optimizer = optimizer_factories(config).make_optimizer([weight])
    for update, gradient in zip(rule(), gradients((5, 5)), strict=False):
        weight.grad = gradient.clone()  # some optimizers change it
        optimizer.step()
        expected = update(expected, gradient.numpy())
        np.testing.assert_allclose(weight.detach(), expected, rtol=0, atol=2e-7)


def test_muon_orthogonalizes_each_gate_alone() -> None:
    """In NumPy, gate by gate: Jordan's rule with Nesterov's momentum, updates as long as AdamW's."""
    weight = nn.Parameter(torch.randn(5, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    gates = np.split(weight.detach().numpy().copy(), 4, axis=1)
    averages = [np.zeros_like(gate) for gate in gates]
    optimizer = Muon([{"params": [weight], "blocks": 4}], lr=LR, momentum=0.9, weight_decay=DECAY)
    for _, gradient in zip(range(STEPS), gradients((5, 12)), strict=False):
        weight.grad = gradient
        optimizer.step()
        for k, g in enumerate(np.split(gradient.numpy(), 4, axis=1)):
            averages[k] = 0.9 * averages[k] + 0.1 * g
            x = 0.1 * g + 0.9 * averages[k]
            x = x / np.linalg.norm(x)
            for _ in range(5):
                gram = x @ x.T
                x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
            gates[k] = gates[k] * (1 - LR * DECAY) - LR * 0.2 * math.sqrt(5) * x
    np.testing.assert_allclose(weight.detach(), np.concatenate(gates, axis=1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(6, 6), (16, 4), (4, 16)])
def test_orthogonalized_matrices_have_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    values = s / s[:, :1] * 0.9 + 0.1  # of condition numbers up to 10
    orthogonal = orthogonalize(u @ torch.diag_embed(values) @ v)
    inside = (u.mT @ orthogonal @ v.mT).diagonal(dim1=1, dim2=2)
    assert inside.min() > 0.5
    assert inside.max() < 1.3
    torch.testing.assert_close(orthogonal, u @ torch.diag_embed(inside) @ v, atol=1e-10, rtol=0)


def test_muon_gives_embeddings_output_and_vectors_to_adamw() -> None:
    sizes = {"embed_size": 4, "hidden_size": 6, "layers": 2, "output_size": 5}
    model = build_language_model({"name": "lstm"}, sizes, 9)
    projection, gates, others = parameter_groups(model, gates_apart=True)
    assert [tuple(w.shape) for w in gates["params"]] == [(4, 24), (6, 24), (6, 24), (6, 24)]
    assert [tuple(w.shape) for w in projection["params"]] == [(5, 6)]
    assert [gates["blocks"], projection["blocks"], others["blocks"]] == [4, 1, 0]
    assert len(list(model.parameters())) == sum(len(g["params"]) for g in (gates, projection, others))
    adam = torch.optim.AdamW([nn.Parameter(w.detach().clone()) for w in others["params"]], lr=LR)
    muon = build_optimizer(model, partial(Muon, lr=LR, weight_decay=0.01), decay="all")
    for step in range(3):
        for weight in model.parameters():
            weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(step))
        for theirs, ours in zip(adam.param_groups[0]["params"], others["params"], strict=True):
            theirs.grad = ours.grad
        muon.step()
        adam.step()
    for theirs, ours in zip(adam.param_groups[0]["params"], others["params"], strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)


def test_muon_is_given_the_gates_by_a_run_and_spares_vectors() -> None:
    config = parsed("optimizer=muon", "optimizer.weight_decay=0.1", "optimizer.decay=matrices")
    model = build_language_model({"name": "gru"}, {"embed_size": 4, "hidden_size": 6}, 9)
    optimizer = build_optimizer(model, optimizer_factories(config).make_optimizer, config.optimizer.decay)
    assert [(g["blocks"], g["weight_decay"]) for g in optimizer.param_groups][-1] == (0, 0.0)
    assert {w.ndim for w in optimizer.param_groups[-1]["params"]} == {1}
    assert sum(bool(g["blocks"]) for g in optimizer.param_groups) >= 1


def test_the_average_of_schedule_free_is_that_of_its_reference() -> None:
    config = parsed("optimizer=schedule_free_adamw", f"optimizer.lr={LR}")
    start = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = nn.ParameterDict({"ours": start.clone()})
    theirs = nn.Parameter(start.clone())
    ours = optimizer_factories(config).make_optimizer(model.parameters())
    reference = schedulefree.AdamWScheduleFree([theirs], lr=LR, betas=(0.9, 0.999), weight_decay=0.0)
    assert isinstance(ours, AveragingOptimizer)
    reference.train()
    for step, gradient in zip(range(STEPS), gradients((4, 6)), strict=False):
        model["ours"].grad, theirs.grad = gradient.clone(), gradient.clone()
        ours.step()
        reference.step()
        before = model["ours"].detach().clone()
        average = average_of_optimizer(ours, model)["ours"]
        assert torch.equal(model["ours"], before)
        reference.eval()
        torch.testing.assert_close(average, theirs.data, rtol=1e-6, atol=1e-7)
        assert not torch.allclose(average, before) or step == 0
        reference.train()
    torch.testing.assert_close(model["ours"].data, theirs.data, rtol=1e-6, atol=1e-7)


AVERAGED = (*POEMS, "optimizer=schedule_free_adamw", "data.batch_size=2", "trainer.max_epochs=1")


def test_a_run_scores_and_keeps_the_average_of_schedule_free(train: Callable[..., Ran]) -> None:
    ran = train(base=AVERAGED)
    assert ran.result["status"] == "done", ran.result["error"]
    assert ran.result["best_epoch"] == ran.result["epochs"] == 1
    last = torch.load(ran.folder.last, weights_only=True)
    best = load_model(ran.folder.best).model.state_dict()
    z = [state["z"] for state in last["optimizer_states"][0]["state"].values()]
    beta = last["optimizer_states"][0]["param_groups"][0]["betas"][0]
    assert last["optimizer_states"][0]["param_groups"][0]["train_mode"]
    for (name, trained), base in zip(last["state_dict"].items(), z, strict=True):
        expected = (trained - (1 - beta) * base) / beta  # y = (1 − β) z + β x
        torch.testing.assert_close(best[name.removeprefix("model.")], expected, rtol=1e-4, atol=1e-6)
        assert not torch.equal(best[name.removeprefix("model.")], trained)


def test_no_average_of_an_average() -> None:
    config = parsed(*AVERAGED, "trainer.ema_decay=0.9")
    with pytest.raises(UserError, match=r"keeps an average itself: leave out trainer\.ema_decay"):
        optimizer_factories(config)


def test_lightning_validates_and_saves_the_average(home: Any) -> None:
    data = TangDataModule(corpus="sample", poems=24, dev_poems=4, batch_size=4)
    data.setup()
    make = optimizer_factories(parsed("optimizer=schedule_free_adamw")).make_optimizer
    module = LanguageModelModule(data.tokens, hidden_size=8, embed_size=8, optimizer=make, lr=0.01)
    modes: list[tuple[str, bool]] = []

    class Modes(L.Callback):
        def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
            modes.append(("validation", trainer.optimizers[0].param_groups[0]["train_mode"]))

        def on_before_optimizer_step(self, trainer: L.Trainer, *_: object) -> None:
            modes.append(("training", trainer.optimizers[0].param_groups[0]["train_mode"]))

    trainer = L.Trainer(
        max_epochs=2, default_root_dir=home, accelerator="cpu", logger=False, callbacks=[Modes()],
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, data)
    assert set(modes) == {("validation", False), ("training", True)}
    saved = torch.load(trainer.checkpoint_callback.best_model_path, weights_only=True)  # type: ignore[union-attr]
    assert not saved["optimizer_states"][0]["param_groups"][0]["train_mode"]
