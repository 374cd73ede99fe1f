"""The two sides that benchmarks/step.py compares, with their shapes and batches."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from corpus import encoded
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from peer import torch_model_like
from torch import Tensor

from tangsweep.batches.poems import PaddedSequences, bucket_by_length
from tangsweep.cells.cell import unroll
from tangsweep.files import REPOSITORY
from tangsweep.inits import initialize, uniform_scaled
from tangsweep.language_model import LanguageModel, build_language_model
from tangsweep.tasks.registry import parse_config
from tangsweep.training.optimizer_factories import optimizer_factories
from tangsweep.training.parameter_groups import build_optimizer

CLIP = 5.0
LEARNING_RATE = 0.001


class Shape(NamedTuple):
    B: int
    T: int
    E: int
    H: int
    V: int

    @property
    def lstm_operations(self) -> float:
        """Return the operations of the LSTM's matrix products, forward and backward, for one character."""
        return 24 * self.H * (self.E + self.H)

    @property
    def step_operations(self) -> float:
        """Return the same of a whole training step, with the output layer."""
        return self.lstm_operations + 6 * self.H * self.V


SHAPES = (
    Shape(1, 60, 64, 64, 1422),
    Shape(16, 60, 64, 64, 2558),
    Shape(32, 48, 256, 512, 5851),
    Shape(64, 100, 512, 512, 6857),
)
Batches = Iterator[tuple[Tensor, Tensor]]  # inputs and targets, (B, T)
Step = Callable[..., None]  # takes inputs and targets


class Sides(NamedTuple):
    """One step of torch.nn.LSTM's model and one of ours."""

    theirs: Step
    ours: Step


def build_model(shape: Shape, kernel: str) -> LanguageModel:
    sizes = {"embed_size": shape.E, "hidden_size": shape.H, "layers": 1, "dropout": 0.0}
    model = build_language_model({"name": "lstm", "kernel": kernel}, sizes, shape.V)
    initialize(model, uniform_scaled, 0.0, seed=0)
    return model


def random_batches(shape: Shape) -> Batches:
    """Yield the same random batch without end."""
    generator = torch.Generator().manual_seed(0)
    inputs, targets = (torch.randint(shape.V, (shape.B, shape.T), generator=generator) for _ in range(2))
    while True:
        yield inputs, targets


def poem_batches(shape: Shape, poems: int = 3000) -> Batches:
    """Yield batches of poems in chunks of at most T characters, in the order of training.

    Ids of V and above wrap around.
    """
    resident = PaddedSequences(encoded(poems, "drop", shape.T)[1].train, None, False)
    for epoch in range(10**6):
        for rows in bucket_by_length(resident.lengths, shape.B, 0, epoch):
            batch = resident.batch(rows)
            yield batch.inputs % shape.V, torch.where(batch.targets < 0, -1, batch.targets % shape.V)


def whole_steps(shape: Shape, kernel: str) -> Sides:
    """Return training steps of both models from equal weights, each with Adam."""
    model = build_model(shape, kernel)
    peer = torch_model_like(model, shape.V, shape.E, shape.H)
    adam = torch.optim.Adam(peer.parameters(), lr=LEARNING_RATE)
    return Sides(
        training_step(peer, adam, peer.loss),
        training_step(model, adam_of_a_run(model), lambda *batch: model.loss(*batch)[0].mean),
    )


def adam_of_a_run(model: LanguageModel) -> torch.optim.Optimizer:
    """Return the optimizer that a run with optimizer=adam makes."""
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        composed = compose("train", overrides=["optimizer=adam", f"optimizer.lr={LEARNING_RATE}"])
    config = parse_config(OmegaConf.to_container(composed, resolve=True))
    return build_optimizer(model, optimizer_factories(config).make_optimizer)


def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[..., Tensor]
) -> Step:
    def step(inputs: Tensor, targets: Tensor) -> None:
        optimizer.zero_grad()
        loss(inputs, targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    return step


def lstms_alone(shape: Shape, kernel: str) -> Sides:
    """Return forward and backward passes of both LSTMs on embedded inputs, with a random output gradient."""
    model = build_model(shape, kernel)
    peer, cell = torch_model_like(model, shape.V, shape.E, shape.H).lstm, model.cells[0]
    peer.batch_first = False
    x = torch.randn(shape.T, shape.B, shape.E, requires_grad=True)
    output_gradient = torch.randn(shape.T, shape.B, shape.H)

    def forward_and_backward(module: torch.nn.Module, outputs: Callable[[], Tensor]) -> Step:
        def step(*_: Tensor) -> None:
            module.zero_grad()
            x.grad = None
            outputs().backward(output_gradient)

        return step

    return Sides(
        forward_and_backward(peer, lambda: peer(x)[0]),
        forward_and_backward(cell, lambda: unroll(cell, x)[0]),
    )
