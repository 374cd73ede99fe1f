"""Builds the objects that train a prepared run from its config; nothing below sees a config."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import pytorch_lightning as L
import torch
from hydra.utils import instantiate
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from tangsweep.batches.batch import RunBatches
from tangsweep.config.checks import is_numpy_lstm
from tangsweep.config.identity import is_stepped_with_optimizer
from tangsweep.config.run_config import AnyConfig
from tangsweep.console import print_line
from tangsweep.corpora import pretrained_embeddings
from tangsweep.corpora.vocabulary import SPECIAL_TOKENS, Vocabulary
from tangsweep.files import absolute_path
from tangsweep.kernels import matmul
from tangsweep.kernels.select import select_kernels
from tangsweep.metrics import METRICS
from tangsweep.runs import wandb_names
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile, MetricsRow
from tangsweep.runs.mirror import Mirror, Mirrors
from tangsweep.training.callbacks import (
    AtomicCheckpointIO,
    Checkpoints,
    ProgressCallback,
    RunCallbacks,
    StepBudget,
    StopWhenSolved,
)
from tangsweep.training.group_loader import PeriodicCallback, StepGroupLoader
from tangsweep.training.metrics_callback import EvaluationObserver, MetricsCallback
from tangsweep.training.mirror_settings import mirror_name, mirror_settings
from tangsweep.training.optimizer_factories import optimizer_factories
from tangsweep.training.pause import PauseAtEpoch
from tangsweep.training.prepare import PreparedRun
from tangsweep.training.step_groups import StepGroupModule
from tangsweep.training.weight_average import WeightAverage

DTYPES = {"64-true": torch.float64, "bf16-true": torch.bfloat16, "16-true": torch.float16}  # else float32


class Arithmetic(NamedTuple):
    """How a run computes, for its record."""

    kernel: str  # of the LSTM and the loss
    gemm: str  # the library that multiplies large matrices


def build_mirrors(run: PreparedRun, folder: RunFolder) -> Mirrors:
    """Start the mirrors that `logger` and `logger.also` name."""
    config = wandb_names.wandb_config(run.config.plain, run.name, run.config_hash, run.overrides)

    def start(settings: Mapping[str, object], again: bool) -> Mirror:
        make_mirror: Callable[..., Mirror] = instantiate(settings)
        return make_mirror(folder, config, run.name, run.folder.parent.name, again=again)

    starts = {mirror_name(settings): partial(start, settings) for settings in mirror_settings(run.config)}
    return Mirrors(starts, MetricsFile(folder.metrics).rows)


def build_module(run: PreparedRun, pad_id: int | None, steps: float | None = None) -> StepGroupModule:
    """Return the LightningModule of a run, with pretrained embeddings where the config names a file.

    `steps` are the optimizer steps of the whole run, for its schedule. Raises UserError where the optimizer
    lacks an option.
    """
    config, encoded = run.config, run.encoded
    options = {key: value for key, value in config.plain["model"].items() if key != "pretrained_embeddings"}
    factories = optimizer_factories(config, steps)
    module = StepGroupModule(
        tokens=encoded.tokens,
        inputs=encoded.inputs,
        task=config.corpus.task,
        cell=config.plain["cell"],
        **options,
        init=config.init.scheme.target,
        forget_bias=config.init.forget_bias,
        optimizer=factories.make_optimizer,
        lr=None,  # the factory has it
        scheduler=factories.make_scheduler,
        seed=config.seed,
        pad_id=pad_id,
        clip=config.trainer.gradient_clip_val,
        sum_over_sequence=config.trainer.loss == "sum",
        run_config=config.plain,
        log_every=config.trainer.log_every,
        schedule_each_step=is_stepped_with_optimizer(config.plain),
        decay=config.optimizer.decay,
    )
    if config.model.pretrained_embeddings is not None:
        _load_embeddings(config, Vocabulary(encoded.tokens), module.model.embedding_weight)
    return module


def _load_embeddings(config: AnyConfig, vocabulary: Vocabulary, table: torch.Tensor) -> None:
    path = absolute_path(str(config.model.pretrained_embeddings))
    vectors = pretrained_embeddings.read_embeddings(path, vocabulary, config.model.embed_size)
    with torch.no_grad():
        for word, vector in vectors.items():
            table[vocabulary.encode(word)[0]] = torch.tensor(vector, dtype=table.dtype)
    characters = sum(token not in SPECIAL_TOKENS for token in vocabulary.tokens)
    print_line(f"pretrained embeddings: {len(vectors):,} of {characters:,} characters")


def describe_arithmetic(config: AnyConfig) -> Arithmetic:
    """Return, for the record, which kernels compute and which library multiplies large matrices."""
    if is_numpy_lstm(config):
        return Arithmetic("numpy", "numpy")
    device = torch.device("cpu" if config.trainer.accelerator == "cpu" else "cuda")
    dtype = DTYPES.get(config.trainer.precision, torch.float32)
    kernels = select_kernels(config.cell.kernel_name, device, dtype)
    return Arithmetic(kernels.NAME, matmul.matmul_backend(device, dtype))


def step_budget(config: AnyConfig, batches: RunBatches) -> StepBudget:
    """Return the callback that knows how many optimizer steps a run has, and ends it after them."""
    trainer = config.trainer
    return StepBudget(trainer.max_steps, trainer.max_epochs, len(batches.train_batches(0)))


def build_callbacks(
    run: PreparedRun,
    folder: RunFolder,
    batches: RunBatches,
    metrics_file: MetricsFile,
    mirror: Mirrors,
    pause: PauseAtEpoch,
) -> RunCallbacks:
    """Return the callbacks of a run beside `pause`, which is no state of it.

    After an evaluation the stopping rule acts first, then the average, checkpoints, and `pause`.
    """
    trainer, primary = run.config.trainer, run.config.corpus.primary
    metric, budget = METRICS[primary.metric], step_budget(run.config, batches)
    progress = ProgressCallback(run.name, metric, budget)
    solved = StopWhenSolved(metric, primary.solved, primary.hopeless if trainer.give_up else None, budget)
    average = WeightAverage(metric, trainer.ema_decay, trainer.average_after)
    checkpoints = Checkpoints(folder, metric, trainer.patience, metrics_file, average)
    sinks: list[Callable[[MetricsRow], None]] = [metrics_file.append, progress.show_evaluation, mirror.log]
    observers: list[EvaluationObserver] = [solved, average, checkpoints, pause]
    metrics = MetricsCallback(batches, trainer.log_every, sinks, observers, average)
    return RunCallbacks(metrics, budget, solved, average, checkpoints, progress)


def build_loader(
    run: PreparedRun, batches: RunBatches, callbacks: RunCallbacks, task_callbacks: Sequence[L.Callback]
) -> StepGroupLoader:
    """Return the training batches in groups that end wherever a callback of the task acts."""
    periods = [callback.every for callback in task_callbacks if isinstance(callback, PeriodicCallback)]
    return StepGroupLoader(run.encoded, batches, periods, callbacks.budget.max_steps)


def build_trainer(config: AnyConfig, folder: RunFolder, callbacks: Sequence[L.Callback]) -> L.Trainer:
    """Return Lightning's trainer with `callbacks`."""
    options = config.trainer
    return L.Trainer(
        accelerator=options.accelerator,
        devices=1,
        precision=options.precision,
        max_epochs=-1 if options.max_epochs is None else options.max_epochs,
        callbacks=list(callbacks),
        # A run is one process. Lightning's Slurm environment would send jobs in again beside the launcher.
        plugins=[AtomicCheckpointIO(), LightningEnvironment()],
        default_root_dir=folder.path,
        reload_dataloaders_every_n_epochs=1,
        limit_val_batches=0,  # MetricsCallback evaluates
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
