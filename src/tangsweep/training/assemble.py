"""From a prepared run's config to the objects that train it; below here nothing sees a config."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as L
import torch
from hydra.utils import instantiate

from tangsweep.config import numpy_lstm
from tangsweep.console import print_line
from tangsweep.corpora import pretrained_embeddings
from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.files import absolute_path
from tangsweep.inits import initialize
from tangsweep.kernels import matmul
from tangsweep.kernels.select import select_kernels
from tangsweep.language_model import LanguageModel, build
from tangsweep.runs import wandb_names
from tangsweep.runs.folder import RunFolder
from tangsweep.training import numpy_bridge, optimizers
from tangsweep.training.checkpoints import AtomicCheckpointIO
from tangsweep.training.module import LanguageModelModule
from tangsweep.training.prepare import PreparedRun
from tangsweep.training.wandb_mirror import WandbMirror

KINDS = {"64-true": torch.float64, "bf16-true": torch.bfloat16, "16-true": torch.float16}  # else float32


def mirror(prepared: PreparedRun, folder: RunFolder) -> WandbMirror | None:
    """The W&B run that mirrors this one; None with `logger=csv`."""
    settings = prepared.config["logger"]
    if settings["_target_"] is None:
        return None
    told = (prepared.name, prepared.config_hash, prepared.overrides)
    config = wandb_names.wandb_config(prepared.config, *told)
    return instantiate(settings)(folder, config, prepared.name, prepared.folder.parent.name)


def model(prepared: PreparedRun) -> LanguageModel:
    """The initialized model, with pretrained embeddings where the config names a file."""
    config, encoded = prepared.config, prepared.encoded
    built = build(config["cell"], config["model"], encoded.inputs, len(encoded.tokens))
    scheme = instantiate(config["init"]["scheme"])
    initialize(built, scheme.func, config["init"]["forget_bias"], config["seed"])
    if config["model"]["pretrained_embeddings"] is not None:
        _load_vectors(config["model"], Vocabulary(encoded.tokens), built.embedding)
    return numpy_bridge.NumpyLanguageModel(built) if numpy_lstm.is_numpy_lstm(config) else built


def arithmetic(config: dict[str, Any]) -> dict[str, str]:
    """What a record says of how its numbers were made: the kernels, and who multiplied large matrices."""
    if numpy_lstm.is_numpy_lstm(config):
        return {"kernel": "numpy", "gemm": "numpy"}
    device, kind = _numbers(config["trainer"])
    kernel = select_kernels(config["cell"].get("kernel", "auto"), device, kind).NAME
    return {"kernel": kernel, "gemm": matmul.path(device, kind)}


def _numbers(trainer: dict[str, Any]) -> tuple[torch.device, torch.dtype]:
    """Where the parameters lie, and their type."""
    device = torch.device("cpu" if trainer["accelerator"] == "cpu" else "cuda")
    return device, KINDS.get(trainer["precision"], torch.float32)


def _load_vectors(settings: dict[str, Any], known: Vocabulary, embedding: torch.nn.Module) -> None:
    path = absolute_path(settings["pretrained_embeddings"])
    vectors = pretrained_embeddings.read(path, known, settings["embed_size"])
    table: Any = embedding.weight
    with torch.no_grad():
        for word, vector in vectors.items():
            table[known.encode(word)[0]] = torch.tensor(vector, dtype=table.dtype)
    characters = sum(token not in MARKS for token in known.tokens)
    print_line(f"pretrained embeddings: {len(vectors):,} of {characters:,} characters")


def module(prepared: PreparedRun, model: LanguageModel, pad: int | None) -> LanguageModelModule:
    """The LightningModule around `model`. Raises UserError where the optimizer lacks an option."""
    config = prepared.config
    return LanguageModelModule(
        model,
        *optimizers.makers(config),
        config["seed"],
        pad,
        config["corpus"]["primary"]["metric"],
        config["trainer"]["gradient_clip_val"],
        {
            "config": config,
            "tokens": list(prepared.encoded.tokens),
            "inputs": prepared.encoded.inputs,
        },
    )


def trainer(config: dict[str, Any], folder: RunFolder, callbacks: Sequence[L.Callback]) -> L.Trainer:
    """Lightning's trainer with `callbacks`."""
    settings = config["trainer"]
    return L.Trainer(
        accelerator=settings["accelerator"],
        devices=1,
        precision=settings["precision"],
        max_epochs=-1 if settings["max_epochs"] is None else settings["max_epochs"],
        callbacks=list(callbacks),
        plugins=[AtomicCheckpointIO()],
        default_root_dir=folder.path,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
