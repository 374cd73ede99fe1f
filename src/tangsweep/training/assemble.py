"""From a prepared run's config to the objects that train it; below here nothing sees a config."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as L
import torch
from hydra.utils import instantiate

from tangsweep import gemm, places
from tangsweep.analytic import limits
from tangsweep.console import say
from tangsweep.corpora import word_vectors
from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.inits import initialize
from tangsweep.kernels.chosen import chosen
from tangsweep.language_model import LanguageModel, build
from tangsweep.runs import mirrored
from tangsweep.runs.folder import RunFolder
from tangsweep.training import numpy_bridge, optimizing
from tangsweep.training.checkpoints import AtomicCheckpointIO
from tangsweep.training.module import Training
from tangsweep.training.prepare import Prepared
from tangsweep.training.wandb_mirror import WandbMirror

KINDS = {"64-true": torch.float64, "bf16-true": torch.bfloat16, "16-true": torch.float16}  # else float32


def mirror(prepared: Prepared, folder: RunFolder) -> WandbMirror | None:
    """The W&B run that mirrors this one; None with `logger=csv`."""
    settings = prepared.config["logger"]
    if settings["_target_"] is None:
        return None
    told = (prepared.name, prepared.config_hash, prepared.overrides)
    config = mirrored.config(prepared.config, *told)
    return instantiate(settings)(folder, config, prepared.name, prepared.folder.parent.name)


def model(prepared: Prepared) -> LanguageModel:
    """The initialized model, with pretrained embeddings where the config names a file."""
    config, encoded = prepared.config, prepared.encoded
    built = build(config["cell"], config["model"], encoded.inputs, len(encoded.tokens))
    scheme = instantiate(config["init"]["scheme"])
    initialize(built, scheme.func, config["init"]["forget_bias"], config["seed"])
    if config["model"]["pretrained_embeddings"] is not None:
        _load_vectors(config["model"], Vocabulary(encoded.tokens), built.embedding)
    return numpy_bridge.NumpyLanguageModel(built) if limits.chosen(config) else built


def arithmetic(config: dict[str, Any]) -> dict[str, str]:
    """What a record says of how its numbers were made: the kernels, and who multiplied large matrices."""
    if limits.chosen(config):
        return {"kernel": "numpy", "gemm": "numpy"}
    device, kind = _numbers(config["trainer"])
    kernel = chosen(config["cell"].get("kernel", "auto"), device, kind).NAME
    return {"kernel": kernel, "gemm": gemm.path(device, kind)}


def _numbers(trainer: dict[str, Any]) -> tuple[torch.device, torch.dtype]:
    """Where the parameters lie, and their type."""
    device = torch.device("cpu" if trainer["accelerator"] == "cpu" else "cuda")
    return device, KINDS.get(trainer["precision"], torch.float32)


def _load_vectors(settings: dict[str, Any], known: Vocabulary, embedding: torch.nn.Module) -> None:
    path = places.anchored(settings["pretrained_embeddings"])
    vectors = word_vectors.read(path, known, settings["embed_size"])
    table: Any = embedding.weight
    with torch.no_grad():
        for word, vector in vectors.items():
            table[known.encode(word)[0]] = torch.tensor(vector, dtype=table.dtype)
    characters = sum(token not in MARKS for token in known.tokens)
    say(f"pretrained embeddings: {len(vectors):,} of {characters:,} characters")


def module(prepared: Prepared, model: LanguageModel, pad: int | None) -> Training:
    """The LightningModule around `model`. Raises UserError where the optimizer lacks an option."""
    config = prepared.config
    return Training(
        model,
        *optimizing.makers(config),
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
