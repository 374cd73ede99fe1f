"""From a prepared run's config to the objects that train it; below here nothing sees a config."""

from typing import Any

import pytorch_lightning as L
import torch
from hydra.utils import instantiate

from tangsweep import places
from tangsweep.analytic import limits
from tangsweep.batches.datamodule import PoemData
from tangsweep.console import say
from tangsweep.corpora import word_vectors
from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.inits import initialize
from tangsweep.language_model import LanguageModel, build
from tangsweep.runs.folder import RunFolder
from tangsweep.training import numpy_bridge
from tangsweep.training.checkpoints import AtomicCheckpointIO
from tangsweep.training.module import Training
from tangsweep.training.prepare import Prepared
from tangsweep.training.wandb_mirror import WandbMirror


def mirror(prepared: Prepared, folder: RunFolder) -> WandbMirror | None:
    """The W&B run that mirrors this one; None with `logger=csv`."""
    settings = prepared.config["logger"]
    if settings["_target_"] is None:
        return None
    config = prepared.config | {"run_id": prepared.name, "config_hash": prepared.config_hash}
    return instantiate(settings)(folder, config, prepared.name, prepared.folder.parent.name)


def data(prepared: Prepared) -> PoemData:
    """The data module; `data.pad=fixed` pads to max_chars and the one mark that may follow."""
    settings = prepared.config["data"]
    width = settings["max_chars"] + 1 if settings["pad"] == "fixed" else None
    return PoemData(
        prepared.encoded,
        settings["batch_size"],
        prepared.config["seed"],
        width,
        settings["score_pads"],
    )


def model(prepared: Prepared) -> LanguageModel:
    """The initialized model, with pretrained embeddings where the config names a file."""
    config, known = prepared.config, prepared.encoded.vocabulary
    built = build(config["cell"], config["model"], len(known))
    scheme = instantiate(config["init"]["scheme"])
    initialize(built, scheme.func, config["init"]["forget_bias"], config["seed"])
    if config["model"]["pretrained_embeddings"] is not None:
        _load_vectors(config["model"], known, built.embedding.weight)
    return numpy_bridge.NumpyLanguageModel(built) if _in_numpy(config) else built


def _in_numpy(config: dict[str, Any]) -> bool:
    return config["cell"]["name"] == limits.CELL


def kernel(config: dict[str, Any]) -> str:
    """Which implementation of the cell a record names."""
    return "numpy" if _in_numpy(config) else "torch"


def _load_vectors(settings: dict[str, Any], known: Vocabulary, embedding: torch.Tensor) -> None:
    path = places.anchored(settings["pretrained_embeddings"])
    vectors = word_vectors.read(path, known, settings["embed_size"])
    with torch.no_grad():
        for word, vector in vectors.items():
            embedding[known.encode(word)[0]] = torch.tensor(vector, dtype=embedding.dtype)
    say(f"pretrained embeddings: {len(vectors):,} of {len(known) - len(MARKS):,} characters")


def module(prepared: Prepared, model: LanguageModel, pad: int | None) -> Training:
    """The LightningModule around `model`. Raises UserError where the optimizer lacks an option."""
    config = prepared.config
    scheduled = config["scheduler"]["_target_"] is not None
    training = Training(
        model,
        numpy_bridge.optimizer(config["optimizer"])
        if _in_numpy(config)
        else instantiate(config["optimizer"]),
        instantiate(config["scheduler"]) if scheduled else None,
        config["seed"],
        pad,
        config["corpus"]["primary"]["metric"],
        {"config": config, "tokens": list(prepared.encoded.vocabulary.tokens)},
    )
    try:
        training.configure_optimizers()
    except (TypeError, ValueError) as error:
        raise UserError(f"optimizer or scheduler: {error}; see conf/optimizer/") from error
    return training


def trainer(config: dict[str, Any], folder: RunFolder, callbacks: list[L.Callback]) -> L.Trainer:
    """Lightning's trainer with `callbacks`."""
    settings = config["trainer"]
    return L.Trainer(
        accelerator=settings["accelerator"],
        devices=1,
        precision=settings["precision"],
        max_epochs=-1 if settings["max_epochs"] is None else settings["max_epochs"],
        max_steps=-1 if settings["max_steps"] is None else settings["max_steps"],
        gradient_clip_val=settings["gradient_clip_val"],
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=folder.path,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
