"""The map of a run: prepared data → model → init → trainer → scores → poems or samples → record."""

import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as L
import threadpoolctl
import torch
from omegaconf import OmegaConf

from tangsweep.console import log_to_file
from tangsweep.errors import describe_error
from tangsweep.files import atomic_write
from tangsweep.runs import lock, provenance, published
from tangsweep.runs import state as states
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import MetricsFile, TextTable, read_result, write_result
from tangsweep.runs.state import State
from tangsweep.training import assemble
from tangsweep.training.budget import StepBudget
from tangsweep.training.checkpoints import Checkpoints
from tangsweep.training.extend import extended_from
from tangsweep.training.final_scores import closing_scores
from tangsweep.training.metrics_callback import Diverged, MetricsCallback, MetricsRow
from tangsweep.training.module import LanguageModelModule
from tangsweep.training.prepare import PreparedRun
from tangsweep.training.progress_callback import ProgressCallback
from tangsweep.training.resume import Continued, extend_shorter, take_up
from tangsweep.training.step_groups import StepGroupLoader
from tangsweep.training.stopping import StopWhenSolved
from tangsweep.training.wandb_mirror import WandbMirror

log = logging.getLogger(__name__)


def run(
    prepared: PreparedRun, rerun: str = "unfinished", unlock: bool = False, extend: bool = False
) -> dict[str, Any]:
    """Train one run, or go on with it, and write its record, which is also returned.

    With `extend` a run that is missing goes on from a shorter one, where there is one. What its folder
    already holds decides, once its lock is held: a state that `rerun` leaves alone gives the record that
    is there, and a run that another process trains `{"status": "running"}`. A run that raises is `failed`.
    Raises UserError where the folder cannot be written or locked; lets KeyboardInterrupt pass, after the
    run is marked as interrupted.
    """
    folder = RunFolder(prepared.folder)
    try:
        with lock.hold_lock(folder, unlock):
            state = states.state_at_rest(folder)
            if state not in states.RERUN[rerun]:
                return {**(read_result(folder) or {"status": state.value}), "skipped": True}
            if extend and state is State.MISSING:
                extend_shorter(folder, prepared.config, prepared.corpus.fingerprint)
            return _attempt(prepared, folder, take_up(folder, state))
    except lock.LockHeld as held:
        return {"status": State.RUNNING.value, "run_id": prepared.name, "holder": str(held)}


def _attempt(prepared: PreparedRun, folder: RunFolder, before: Continued) -> dict[str, Any]:
    result = _header(prepared)
    atomic_write(folder.config, OmegaConf.to_yaml(prepared.config))
    mirror = None
    with log_to_file(folder.log):
        try:
            mirror = assemble.mirror(prepared, folder)
            if mirror is not None:
                mirror.replay(before.rows)
            _train(prepared, folder, mirror, before, result)
        except Exception as error:
            log.exception("the run failed")
            result |= {"status": "failed", "error": describe_error(error)}
        except KeyboardInterrupt:
            atomic_write(folder.interrupted, "")
            raise
        finally:
            if mirror is not None:
                mirror.finish(result["status"] == "failed")
        # Last of all: a kill before this repeats the closing from the last checkpoint, W&B's file included.
        result["finished"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        write_result(folder, result)
    return result


def _header(prepared: PreparedRun) -> dict[str, Any]:
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
        "machine": provenance.machine(),
        "threads": config["trainer"]["threads"],
        **assemble.arithmetic(config),
        "extended_from": extended_from(RunFolder(prepared.folder)),
        "wandb": None,
        "error": None,
    }


class Callbacks(NamedTuple):
    """What watches a run's training, and is asked about it afterwards."""

    history: MetricsCallback
    budget: StepBudget
    goal: StopWhenSolved
    checkpoints: Checkpoints
    metrics: MetricsFile
    bar: ProgressCallback

    @property
    def found(self) -> dict[str, Any]:
        """For the record: why training ended, and how fast it went."""
        return {
            "ended": self.goal.ended or ("patience" if self.checkpoints.stopped else "budget"),
            "solved_step": self.goal.solved_step,
            "seconds": self.history.so_far,
            "chars_per_second": self.history.characters_per_second,
        }


def _callbacks(
    prepared: PreparedRun, folder: RunFolder, mirror: WandbMirror | None, an_epoch: int
) -> Callbacks:
    """The goal is asked after the evaluation that History makes, and checkpoints are written last."""
    settings, primary = prepared.config["trainer"], prepared.config["corpus"]["primary"]
    budget = StepBudget(settings["max_steps"], settings["max_epochs"], an_epoch)
    metrics = MetricsFile(folder.metrics)
    bar = ProgressCallback(prepared.name, primary["metric"], budget)
    sinks: list[Callable[[MetricsRow], None]] = [
        metrics.append,
        bar.evaluated,
        *([mirror.log] if mirror else []),
    ]
    return Callbacks(
        MetricsCallback(settings["log_every"], sinks),
        budget,
        StopWhenSolved(primary, settings["give_up"], budget),
        Checkpoints(folder, primary["mode"], settings["patience"]),
        metrics,
        bar,
    )


def _train(
    prepared: PreparedRun,
    folder: RunFolder,
    mirror: WandbMirror | None,
    before: Continued,
    result: dict[str, Any],
) -> None:
    """Fills `result` as it goes, so that a late failure loses none of what was found before."""
    config, encoded, task = prepared.config, prepared.encoded, prepared.task
    _use_processor(config["trainer"]["threads"])
    data, model = task.data(encoded, config), assemble.model(prepared)
    module = assemble.module(prepared, model, data.pad)
    watching = _callbacks(prepared, folder, mirror, len(data.train_batches(0)))
    show = mirror.table if mirror else _unmirrored
    history, budget, goal, checkpoints, metrics, bar = watching
    texts = task.callbacks(encoded, config, folder, show)
    trainer = assemble.trainer(config, folder, (history, budget, goal, *texts, checkpoints, bar))
    laps = StepGroupLoader(data, [look.every for look in (history, *texts)], budget.max_steps)
    try:
        ended = _fit(trainer, module, laps, before.checkpoint)
    finally:
        bar.close()
        metrics.close()
    result |= (
        watching.found
        | ended
        | {
            "parameters": sum(p.numel() for p in model.parameters()),
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step,
            "wandb": mirror.identity if mirror else None,
        }
    )
    finite, unknown = result["status"] == "done", encoded.facts.get("oov", {})
    result |= closing_scores(model, data, folder, checkpoints.best_epoch, finite, unknown)
    if checkpoints.best_epoch:
        result |= task.leave(model, encoded, config, folder, show)
    result["published"] = published.beside(config["published"], result)
    if mirror:
        mirror.summarize(result)


def _use_processor(threads: int) -> None:
    torch.set_flush_denormal(True)  # denormals are slow, and an optimizer's squares end there
    torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)  # NumPy's BLAS has threads of its own


def _fit(
    trainer: L.Trainer, module: LanguageModelModule, data: Any, checkpoint: Path | None
) -> dict[str, Any]:
    """How training ended. Raises KeyboardInterrupt for Ctrl-C and SIGTERM."""
    ended: dict[str, Any] = {"status": "done"}
    to_ctrl_c = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
    except Diverged as diverged:
        ended = {
            "status": "diverged",
            "ended": "diverged",
            "diverged_step": diverged.step,
            "last_finite_loss": diverged.last_finite_loss,
        }
    except SystemExit as left:  # what Lightning makes of Ctrl-C, after it has switched Ctrl-C off
        signal.signal(signal.SIGINT, to_ctrl_c)
        raise KeyboardInterrupt from left
    return ended


def _unmirrored(table: TextTable, step: int | None) -> None:
    """Where a table goes without W&B: the files hold it already."""
