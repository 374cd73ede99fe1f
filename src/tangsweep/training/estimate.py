"""What a run will cost, measured on a few steps that leave nothing behind."""

import time
from itertools import islice
from typing import Any, NamedTuple

import torch

from tangsweep.batches.batch import Batch, BatchSequence
from tangsweep.evaluation.scores import evaluate
from tangsweep.training import assemble
from tangsweep.training.module import LanguageModelModule
from tangsweep.training.prepare import PreparedRun

WARMING, TIMED = 2, 8  # training steps
SCORED = 2  # evaluation batches
A_ROW = 400  # bytes of a row in metrics.csv and in W&B's file


class Cost(NamedTuple):
    """Of one run that nothing stops early."""

    seconds: float  # training and scoring
    disk: float  # bytes


def estimate_cost(prepared: PreparedRun) -> Cost:
    """From a few training steps and evaluation batches of this very run, on a model of its own."""
    config, settings = prepared.config, prepared.config["trainer"]
    torch.set_num_threads(settings["threads"])
    data, model = prepared.task.data(prepared.encoded, config), assemble.model(prepared)
    device = torch.device("cuda" if settings["accelerator"] == "gpu" else "cpu")
    module = assemble.module(prepared, model.to(device), data.pad)
    batches = data.train_batches(0)
    limits = [settings["max_steps"], settings["max_epochs"] and settings["max_epochs"] * len(batches)]
    steps = min(limit for limit in limits if limit is not None)
    optimizer = _optimizer(module)
    a_step = _step_seconds(module, optimizer, batches, settings["gradient_clip_val"])
    epochs = -(-steps // len(batches))
    scoring = {side: _scoring_seconds(module, side_batches) for side, side_batches in data.sides().items()}
    seconds = steps * a_step + (epochs + 1) * scoring["dev"] + 2 * sum(scoring.values())
    rows = steps / settings["log_every"] + epochs
    return Cost(seconds, _checkpoints(module, optimizer) + rows * A_ROW)


def _optimizer(module: LanguageModelModule) -> torch.optim.Optimizer:
    configured: Any = module.configure_optimizers()
    return configured[0][0] if isinstance(configured, tuple) else configured


def _step_seconds(
    module: LanguageModelModule, optimizer: torch.optim.Optimizer, batches: Any, clip: float | None
) -> float:
    """The mean of steps as the run makes them, the first ones left out where there are more."""
    drawn = list(islice(batches, WARMING + TIMED))
    timed = drawn[WARMING:] or drawn
    for batch in drawn[:WARMING]:
        _step(module, optimizer, batch, clip)
    began = time.perf_counter()
    for batch in timed:
        _step(module, optimizer, batch, clip)
    return (time.perf_counter() - began) / len(timed)


def _step(
    module: LanguageModelModule, optimizer: torch.optim.Optimizer, batch: Batch, clip: float | None
) -> None:
    placed = module.transfer_batch_to_device(batch, next(module.parameters()).device, 0)
    loss = module.loss(placed, 0)["loss"]
    optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(module.parameters(), clip)
    optimizer.step()


def _scoring_seconds(module: LanguageModelModule, batches: BatchSequence) -> float:
    """Of one pass over all `batches`, from the first few."""
    first = list(islice(batches, SCORED))
    began = time.perf_counter()
    evaluate(module.model, first, module.pad)
    return (time.perf_counter() - began) / len(first) * len(batches)


def _checkpoints(module: LanguageModelModule, optimizer: torch.optim.Optimizer) -> float:
    """Bytes of best.ckpt and last.ckpt, the optimizer's state in the latter."""
    weights = sum(p.numel() * p.element_size() for p in module.parameters())
    state = sum(
        value.numel() * value.element_size()
        for values in optimizer.state.values()
        for value in values.values()
        if isinstance(value, torch.Tensor)
    )
    return 2 * weights + state
