"""Trains one prepared run: model → trainer → scores → poems or samples → record."""

import logging
import signal
import time
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as L
import threadpoolctl
import torch
from omegaconf import OmegaConf

from tangsweep.console import log_to_file, print_line
from tangsweep.errors import describe_error
from tangsweep.evaluation.final_scores import LoggedLosses, record_final_scores
from tangsweep.files import atomic_write
from tangsweep.runs import lock, provenance
from tangsweep.runs.config_file import write_config
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile, parse_metrics
from tangsweep.runs.mirror import Mirrors
from tangsweep.runs.published import compare_with_published
from tangsweep.runs.record import SCHEMA_VERSION, CorpusFacts, Outcome, PrimaryMetric, Record
from tangsweep.runs.record_file import read_record, write_record
from tangsweep.runs.state import RERUN, State, is_trained_anew, state_at_rest
from tangsweep.training import assemble
from tangsweep.training.callbacks import RunCallbacks
from tangsweep.training.extend import extend_shorter_run, extended_from
from tangsweep.training.group_loader import StepGroupLoader
from tangsweep.training.metrics_callback import Diverged
from tangsweep.training.module import LanguageModelModule
from tangsweep.training.optimizer_cost import measure_cost
from tangsweep.training.pause import PauseAtEpoch
from tangsweep.training.prepare import PreparedRun
from tangsweep.training.resume import ResumePoint, StartAnew, prepare_folder, restore_metrics

log = logging.getLogger(__name__)


def train_run(run: PreparedRun, rerun: str = "unfinished") -> Outcome:
    """Train one run, or continue it, and write its record.

    What its folder already holds decides, once its lock is held: a state that `rerun` leaves alone gives the
    record that is there, and a run that another process trains gives that state. A run that is missing goes
    on from a shorter one with `extend=true`. A run that is to be trained anew, or has lost its checkpoints,
    is first set aside whole. A run that raises is recorded as failed. One that pauses has no record yet.
    Raises UserError where the folder cannot be written or locked. Lets KeyboardInterrupt pass, after the run
    is marked as interrupted.
    """
    folder = RunFolder(run.folder)
    try:
        with lock.hold_lock(folder, run.config.unlock):
            state = state_at_rest(folder)
            if state not in RERUN[rerun]:
                return Outcome(run.name, state.value, read_record(folder), skipped=True)
            if run.config.extend and state is State.MISSING:
                extend_shorter_run(folder, run.config.plain, run.corpus.fingerprint)
            resume = _resume_or_set_aside(folder, is_trained_anew(state, rerun))
            if resume is not None:
                record = _train_and_record(run, folder, resume)
                return Outcome(run.name, record.status, record)
    except lock.LockHeld as held:
        return Outcome(run.name, State.RUNNING.value, holder=str(held))
    return train_run(run)  # in a new folder, which has a lock of its own


def _resume_or_set_aside(folder: RunFolder, anew: bool) -> ResumePoint | None:
    """Return where training starts; None where the folder was set aside for a run that starts anew."""
    reason = "it is trained anew"
    if not anew:
        try:
            return prepare_folder(folder)
        except StartAnew as lost:
            reason = f"it starts anew, because {lost}"
    print_line(f"{folder.path.name}: {reason}; what it was is in {folder.set_aside().name}")
    return None


def _train_and_record(run: PreparedRun, folder: RunFolder, resume: ResumePoint) -> Record:
    record = _new_record(run)
    write_config(folder, OmegaConf.to_yaml(run.config.plain))
    mirror = Mirrors({}, list)
    with log_to_file(folder.log):
        try:
            mirror = assemble.build_mirrors(run, folder)
            mirror.replay(resume.rows)
            _train(run, folder, mirror, resume, record)
        except Exception as error:
            log.exception("the run failed")
            record.status, record.error = "failed", describe_error(error)
        except KeyboardInterrupt:
            atomic_write(folder.interrupted, "")
            raise
        finally:
            mirror.finish(record.status == "failed")
        if record.status == State.PAUSED:
            atomic_write(folder.paused, f"{record.epochs}\n")
            return record  # which is not written: the run has not ended
        if mirror.lost:
            record.lost_mirrors, record.wandb = mirror.lost, mirror.identity
        # Last of all: a kill before this repeats the closing from the last checkpoint, W&B's file included.
        record.finished = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        write_record(folder, record)
    return record


def _new_record(run: PreparedRun) -> Record:
    """Return a record of what is known before training; its status is `failed` until training ends."""
    config, corpus = run.config, run.corpus
    arithmetic = assemble.describe_arithmetic(config)
    facts = {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "verified": corpus.verified,
        **run.encoded.facts.model_dump(exclude_unset=True),
    }
    return Record(
        schema=SCHEMA_VERSION,
        status="failed",
        run_id=run.name,
        config_hash=run.config_hash,
        overrides=run.overrides,
        seed=config.seed,
        primary=PrimaryMetric.model_validate(config.plain["corpus"]["primary"]),
        baselines=run.encoded.baselines,
        corpus=CorpusFacts.model_validate(facts),
        git=provenance.git_state(),
        versions=provenance.package_versions(),
        machine=provenance.describe_machine(),
        threads=config.trainer.threads,
        kernel=arithmetic.kernel,
        gemm=arithmetic.gemm,
        extended_from=extended_from(RunFolder(run.folder)),
        wandb=None,
        error=None,
    )


def _train(run: PreparedRun, folder: RunFolder, mirror: Mirrors, resume: ResumePoint, record: Record) -> None:
    """Train and score. `record` is filled on the way, so that a late failure loses nothing."""
    config, encoded, task = run.config, run.encoded, run.task
    _limit_threads(config.trainer.threads)
    batches = task.batches(encoded, config)
    module = assemble.build_module(run, batches.pad, assemble.step_budget(config, batches).total)
    metrics_file = MetricsFile(folder.metrics)
    pause = PauseAtEpoch(config.pause_at)
    callbacks = assemble.build_callbacks(run, folder, batches, metrics_file, mirror, pause)
    task_callbacks = task.callbacks(encoded, config, folder, mirror.log_table)
    trainer = assemble.build_trainer(config, folder, (*callbacks, pause, *task_callbacks))
    loader = assemble.build_loader(run, batches, callbacks, task_callbacks)
    try:
        end = _fit(trainer, module, loader, resume.checkpoint)
    finally:
        callbacks.progress.close()
        metrics_file.close()
    restore_metrics(folder, metrics_file.text)
    if pause.paused and end.status == State.DONE:
        record.status, record.epochs = State.PAUSED.value, trainer.current_epoch
        return
    callbacks.average.put_into(module.model)
    _record_training(record, end, callbacks, trainer, module, mirror)
    best_epoch = callbacks.checkpoints.best_epoch
    logged = LoggedLosses.of_run(parse_metrics(metrics_file.text).rows, config.trainer.accelerator)
    record_final_scores(record, module.model, batches, encoded, folder, best_epoch, logged)
    if best_epoch:
        task.write_outputs(module.model, encoded, config, folder, mirror.log_table, record)
    record.published = compare_with_published(config.published, record)
    mirror.summarize(record)


def _limit_threads(threads: int) -> None:
    torch.set_flush_denormal(True)  # denormals are slow, and an optimizer's squares end there
    torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)  # NumPy's BLAS has threads of its own


class TrainingEnd(NamedTuple):
    """How training ended."""

    status: str = State.DONE.value
    diverged: Diverged | None = None


def _fit(
    trainer: L.Trainer, module: LanguageModelModule, loader: StepGroupLoader, checkpoint: Path | None
) -> TrainingEnd:
    """Train. Raises KeyboardInterrupt for Ctrl-C and SIGTERM."""
    interrupt_handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(
            module, datamodule=loader, ckpt_path=checkpoint, weights_only=True if checkpoint else None
        )
    except Diverged as diverged:
        return TrainingEnd("diverged", diverged)
    except SystemExit as error:  # what Lightning makes of Ctrl-C, after it has switched Ctrl-C off
        signal.signal(signal.SIGINT, interrupt_handler)
        raise KeyboardInterrupt from error
    return TrainingEnd()


def _record_training(
    record: Record,
    end: TrainingEnd,
    callbacks: RunCallbacks,
    trainer: L.Trainer,
    module: LanguageModelModule,
    mirror: Mirrors,
) -> None:
    """Record why training ended, how long it was and how fast."""
    record.status = end.status
    record.ended = callbacks.solved.ended or ("patience" if callbacks.checkpoints.stopped else "budget")
    if end.diverged is not None:
        record.ended = "diverged"
        record.diverged_step = end.diverged.step
        record.last_finite_loss = end.diverged.last_finite_loss
    record.solved_step = callbacks.solved.solved_step
    record.seconds = callbacks.metrics.seconds_so_far
    record.chars_per_second = callbacks.metrics.characters_per_second
    record.parameters = sum(p.numel() for p in module.model.parameters())
    record.epochs, record.steps = trainer.current_epoch, trainer.global_step
    step_ms = 1000 * callbacks.metrics.seconds / record.steps if record.steps else None
    record.cost = measure_cost(module.model, module.make_optimizer, step_ms)
    record.wandb = mirror.identity
