"""What benchmarks/step.py compares: shapes, their batches, and the two sides of a step."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from corpus import encoded
from hydra.utils import instantiate
from peer import like
from torch import Tensor

from tangsweep.batches.poems import Resident, bucketed
from tangsweep.cells.cell import unroll
from tangsweep.inits import initialize, uniform_scaled
from tangsweep.language_model import LanguageModel, build_language_model
from tangsweep.training import optimizers

CLIP = 5.0
ADAM = {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.001}


class Shape(NamedTuple):
    B: int
    T: int
    E: int
    H: int
    V: int

    @property
    def of_lstm(self) -> float:
        """Operations of its products, forward and backward, for one character."""
        return 24 * self.H * (self.E + self.H)

    @property
    def of_step(self) -> float:
        return self.of_lstm + 6 * self.H * self.V


SHAPES = (
    Shape(1, 60, 64, 64, 1422),
    Shape(16, 60, 64, 64, 2558),
    Shape(32, 48, 256, 512, 5851),
    Shape(64, 100, 512, 512, 6857),
)
Batches = Iterator[tuple[Tensor, Tensor]]
Sides = tuple[Callable[..., None], Callable[..., None]]  # theirs, ours


def of(shape: Shape, kernel: str) -> LanguageModel:
    sizes = {"embed_size": shape.E, "hidden_size": shape.H, "layers": 1, "dropout": 0.0}
    model = build_language_model({"name": "lstm", "kernel": kernel}, sizes, shape.V)
    initialize(model, uniform_scaled, 0.0, seed=0)
    return model


def random_batches(shape: Shape) -> Batches:
    """Always the same one."""
    generator = torch.Generator().manual_seed(0)
    inputs, targets = (torch.randint(shape.V, (shape.B, shape.T), generator=generator) for _ in range(2))
    while True:
        yield inputs, targets


def poem_batches(shape: Shape, poems: int = 3000) -> Batches:
    """Of chunks of at most T characters, in the order of training; ids beyond V wrap around."""
    resident = Resident(encoded(poems, "drop", shape.T)[1].train, None, False)
    for epoch in range(10**6):
        for rows in bucketed(resident.lengths, shape.B, 0, epoch):
            batch = resident.batch(rows)
            yield batch.inputs % shape.V, torch.where(batch.targets < 0, -1, batch.targets % shape.V)


def whole_steps(shape: Shape, kernel: str) -> Sides:
    """Theirs and ours, from equal weights."""
    model = of(shape, kernel)
    peer = like(model, shape.V, shape.E, shape.H)
    config = {"optimizer": ADAM, "scheduler": {"_target_": None}, "trainer": {"precision": "32-true"},
              "cell": {"name": "lstm"}}  # fmt: skip
    return (
        stepping(peer, instantiate(ADAM)(peer.parameters()), peer.loss),
        stepping(model, optimizers.makers(config)[0](model.parameters()), lambda *b: model.loss(*b)[0].mean),
    )


def stepping(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[..., Tensor]
) -> Callable[..., None]:
    def step(inputs: Tensor, targets: Tensor) -> None:
        optimizer.zero_grad()
        loss(inputs, targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    return step


def lstms_alone(shape: Shape, kernel: str) -> Sides:
    """Theirs and ours on the embedded inputs, a random gradient coming in at every output."""
    model = of(shape, kernel)
    peer, cell = like(model, shape.V, shape.E, shape.H).lstm, model.cells[0]
    peer.batch_first = False
    x = torch.randn(shape.T, shape.B, shape.E, requires_grad=True)
    incoming = torch.randn(shape.T, shape.B, shape.H)

    def run(module: torch.nn.Module, outputs: Callable[[], Tensor]) -> Callable[..., None]:
        def both(*_: Tensor) -> None:
            module.zero_grad()
            x.grad = None
            outputs().backward(incoming)

        return both

    return run(peer, lambda: peer(x)[0]), run(cell, lambda: unroll(cell, x)[0])
