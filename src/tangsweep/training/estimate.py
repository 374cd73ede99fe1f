"""What a run will cost, measured on a few steps that leave nothing behind."""

import time
from itertools import islice

import torch

from tangsweep.batches.batch import Batch, BatchSequence
from tangsweep.evaluation.scores import evaluate
from tangsweep.training import assemble
from tangsweep.training.module import LanguageModelModule
from tangsweep.training.optimizers import optimizer_factories
from tangsweep.training.prepare import PreparedRun

WARM_UP_STEPS, TIMED_STEPS = 2, 8
SCORED_BATCHES = 2
ROW_BYTES = 400  # of a row in metrics.csv and in W&B's file


def estimate_cost(run: PreparedRun) -> tuple[float, float]:
    """Return the seconds and the bytes of a run that nothing stops early.

    Measures a few training steps and evaluation batches of this very run, on a model of its own.
    """
    options = run.config.trainer
    torch.set_num_threads(options.threads)
    batches, model = run.task.batches(run.encoded, run.config), assemble.build_model(run)
    device = torch.device("cuda" if options.accelerator == "gpu" else "cpu")
    module = assemble.build_module(run, model.to(device), batches.pad)
    epoch = batches.train_batches(0)
    limits = [options.max_steps, options.max_epochs and options.max_epochs * len(epoch)]
    steps = min(limit for limit in limits if limit is not None)
    optimizer = optimizer_factories(run.config).make_optimizer(model.parameter_groups())
    step_seconds = _step_seconds(module, optimizer, epoch, options.gradient_clip_val)
    epochs = -(-steps // len(epoch))
    scoring = {name: _scoring_seconds(module, text) for name, text in batches.sides().items()}
    seconds = steps * step_seconds + (epochs + 1) * scoring["dev"] + 2 * sum(scoring.values())
    rows = steps / options.log_every + epochs
    return seconds, _checkpoint_bytes(module, optimizer) + rows * ROW_BYTES


def _step_seconds(
    module: LanguageModelModule, optimizer: torch.optim.Optimizer, batches: BatchSequence, clip: float | None
) -> float:
    """Return the mean time of a training step, the first ones left out where there are more."""
    drawn = list(islice(batches, WARM_UP_STEPS + TIMED_STEPS))
    timed = drawn[WARM_UP_STEPS:] or drawn
    for batch in drawn[:WARM_UP_STEPS]:
        _train_step(module, optimizer, batch, clip)
    start = time.perf_counter()
    for batch in timed:
        _train_step(module, optimizer, batch, clip)
    return (time.perf_counter() - start) / len(timed)


def _train_step(
    module: LanguageModelModule, optimizer: torch.optim.Optimizer, batch: Batch, clip: float | None
) -> None:
    batch = module.transfer_batch_to_device(batch, next(module.parameters()).device, 0)
    loss = module.loss(batch, 0)["loss"]
    optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(module.parameters(), clip)
    optimizer.step()


def _scoring_seconds(module: LanguageModelModule, batches: BatchSequence) -> float:
    """Return the time of one pass over all `batches`, from the first few."""
    first = list(islice(batches, SCORED_BATCHES))
    start = time.perf_counter()
    evaluate(module.model, first, module.pad)
    return (time.perf_counter() - start) / len(first) * len(batches)


def _checkpoint_bytes(module: LanguageModelModule, optimizer: torch.optim.Optimizer) -> float:
    """Return the size of best.ckpt and last.ckpt, the latter with the optimizer's state."""
    weights = sum(p.numel() * p.element_size() for p in module.parameters())
    state = sum(
        value.numel() * value.element_size()
        for values in optimizer.state.values()
        for value in values.values()
        if isinstance(value, torch.Tensor)
    )
    return 2 * weights + state
