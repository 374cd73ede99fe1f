"""The map of a run: prepared data → model → init → trainer → scores → poems → record."""

import logging
import signal
import time
from typing import Any

import pytorch_lightning as L
import threadpoolctl
import torch
from omegaconf import OmegaConf

from tangsweep.batches.datamodule import PoemData
from tangsweep.console import console, logging_to
from tangsweep.errors import UserError
from tangsweep.generation import collection
from tangsweep.generation.poem import Poet
from tangsweep.runs import provenance
from tangsweep.runs.folder import RunFolder, atomic_write
from tangsweep.runs.record import MetricsFile, write_result
from tangsweep.training import assemble
from tangsweep.training.checkpoints import Checkpoints
from tangsweep.training.closing import closing_scores
from tangsweep.training.history import Diverged, History
from tangsweep.training.module import Training
from tangsweep.training.prepare import Prepared
from tangsweep.training.progress import ProgressBar
from tangsweep.training.wandb_mirror import WandbMirror

log = logging.getLogger(__name__)


def run(prepared: Prepared) -> dict[str, Any]:
    """Train one run and write its record, which is also returned; a run that raises is `failed`.

    Raises UserError, before anything is written, where the folder exists; lets KeyboardInterrupt pass,
    leaving no record.
    """
    result = _header(prepared)
    folder = RunFolder.create(prepared.folder)
    atomic_write(folder.config, OmegaConf.to_yaml(prepared.config))
    mirror, failed = None, True
    with logging_to(folder.log):
        try:
            try:
                mirror = assemble.mirror(prepared, folder)
                _train(prepared, folder, mirror, result)
            except Exception as error:
                log.exception("the run failed")
                named = str(error) if isinstance(error, UserError) else repr(error)
                result |= {"status": "failed", "error": named}
            write_result(folder, result)
            failed = result["status"] == "failed"
        finally:
            if mirror is not None:
                mirror.finish(failed)
    return result


def _header(prepared: Prepared) -> dict[str, Any]:
    """What the record says of a run whatever becomes of it."""
    config, facts, corpus = prepared.config, prepared.encoded.facts, prepared.corpus
    return {
        "status": "failed",
        "run_id": prepared.name,
        "config_hash": prepared.config_hash,
        "overrides": prepared.overrides,
        "seed": config["seed"],
        "primary": config["corpus"]["primary"],
        "baselines": facts["baselines"],
        "corpus": {
            "name": corpus.name,
            "fingerprint": corpus.fingerprint,
            "verified": corpus.verified,
            **{key: value for key, value in facts.items() if key != "baselines"},
        },
        "git": provenance.git(),
        "versions": provenance.versions(),
        "threads": config["trainer"]["threads"],
        "kernel": assemble.kernel(config),
        "wandb": None,
        "error": None,
    }


def _train(prepared: Prepared, folder: RunFolder, mirror: WandbMirror | None, result: dict[str, Any]) -> None:
    """Fills `result` as it goes, so that a late failure loses none of what was found before."""
    config = prepared.config
    torch.set_num_threads(config["trainer"]["threads"])
    threadpoolctl.threadpool_limits(config["trainer"]["threads"])  # NumPy's BLAS has threads of its own
    data, model = assemble.data(prepared), assemble.model(prepared)
    module = assemble.module(prepared, model, data.pad)
    metrics, bar = MetricsFile(folder.metrics), ProgressBar(prepared.name, console)
    history = History(
        config["trainer"]["log_every"],
        [metrics.append, bar.evaluated, *([mirror.log] if mirror else [])],
    )
    checkpoints = Checkpoints(folder, config["corpus"]["primary"]["mode"], config["trainer"]["patience"])
    trainer = assemble.trainer(config, folder, [history, checkpoints, bar])
    try:
        result |= _fit(trainer, module, data)
    finally:
        bar.close()
        metrics.close()
    result |= {
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "chars_per_second": history.characters_per_second,
        "wandb": mirror.identity if mirror else None,
    }
    result |= closing_scores(
        model,
        data,
        folder,
        checkpoints.best_epoch,
        finite=result["status"] == "done",
        oov=prepared.encoded.facts["oov"],
    )
    if checkpoints.best_epoch:
        _write_poems(Poet(model, prepared.encoded.vocabulary), config, folder, mirror)
    if mirror:
        mirror.summarize(result)


def _fit(trainer: L.Trainer, module: Training, data: PoemData) -> dict[str, Any]:
    """How training ended, and its seconds."""
    started = time.perf_counter()
    ended: dict[str, Any] = {"status": "done"}
    try:
        trainer.fit(module, datamodule=data)
    except Diverged as diverged:
        ended = {
            "status": "diverged",
            "diverged_step": diverged.step,
            "last_finite_loss": diverged.last_finite_loss,
        }
    except SystemExit as left:  # what Lightning makes of Ctrl-C, after it has switched Ctrl-C off
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from left
    return ended | {"seconds": round(time.perf_counter() - started, 3)}


def _write_poems(poet: Poet, config: dict[str, Any], folder: RunFolder, mirror: WandbMirror | None) -> None:
    poems = collection.compose(poet, config["poems"], config["seed"])
    atomic_write(folder.poems, collection.as_text(poems))
    if mirror:
        mirror.poems(collection.COLUMNS, poems)
