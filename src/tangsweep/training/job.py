"""One job of a sweep: train a prepared run and say how it ended, or score one that ended before."""

from collections.abc import Mapping, Sequence
from typing import Any

from tangsweep.console import format_outcome, print_line
from tangsweep.errors import UserError
from tangsweep.files import display_path
from tangsweep.runs import lock
from tangsweep.runs.checksums import is_changed
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.runs.published import format_published
from tangsweep.runs.record import CorpusFacts, Outcome, Record
from tangsweep.runs.record_file import read_record, write_record
from tangsweep.runs.state import RERUN, State
from tangsweep.tasks.registry import parse_config
from tangsweep.training.prepare import PreparedRun, check_resources, lacks_scores, prepare


def train_job(values: Mapping[str, Any], overrides: Sequence[str]) -> Outcome:
    """Train the run of a composed config, in whichever process a launcher has put it. Raises UserError."""
    config = parse_config(values)
    check_resources(config)
    return train_prepared(prepare(config, overrides))


def train_prepared(run: PreparedRun) -> Outcome:
    """Train the run and print how it ended.

    Runs that are to be trained anew were set aside by the sweep; whatever has not ended goes on, a paused run
    where `rerun` says so. Raises SystemExit(1) with `fail_fast=true` where the run failed: launchers would go
    on after another exception.
    """
    from tangsweep.training.run import train_run  # torch and Lightning: seconds

    takes_up_paused = State.PAUSED in RERUN[run.config.rerun]
    outcome = train_run(run, "paused" if takes_up_paused else "unfinished")
    print_outcome(run, outcome)
    if outcome.status == "failed" and run.config.fail_fast:
        raise SystemExit(1)
    return outcome


def print_outcome(run: PreparedRun, outcome: Outcome) -> None:
    """Print how a run ended, and published figures beside its own."""
    print_line(format_outcome(outcome, display_path(run.folder)))
    if outcome.record is not None and outcome.record.published:
        print_line(format_published(outcome.record.published, outcome.record.overrides or []))


def score_finished_run(run: PreparedRun) -> bool:
    """Score the best checkpoint on the development and the test set, and add what the record lacks.

    The scores that the record has stay. Returns False where another process holds the run, or has scored it,
    and where its best checkpoint is damaged, or a file of which the record has a checksum that would be
    written anew; both are said.
    """
    folder = RunFolder(run.folder)
    try:
        with lock.hold_lock(folder, run.config.unlock):
            record = read_record(folder)
            if record is None or not lacks_scores(run, record):
                return False
            others = (folder.config, folder.metrics, folder.poems, folder.samples)
            if changed := [path.name for path in others if is_changed(path, record.checksums)]:
                print_line(
                    f"{run.name} is not scored: {', '.join(changed)} changed since the run ended; remove its "
                    "result.json, and the same command writes both again"
                )
                return False
            return _add_scores(run, folder, record)
    except lock.LockHeld:
        return False


def _add_scores(run: PreparedRun, folder: RunFolder, record: Record) -> bool:
    import threadpoolctl
    import torch  # seconds

    from tangsweep.checkpoint import load_model
    from tangsweep.evaluation.final_scores import (
        LoggedLosses,
        breakdown_of,
        score_sets,
        write_scores_of_documents,
    )

    torch.set_num_threads(run.config.trainer.threads)
    threadpoolctl.threadpool_limits(run.config.trainer.threads)
    batches = run.task.batches(run.encoded, run.config)
    logged = LoggedLosses.of_run(MetricsFile(folder.metrics).rows(), run.config.trainer.accelerator)
    try:
        scored = score_sets(load_model(folder.best).model, batches, run.encoded, {"dev", "test"})
        logged.compare(scored.scores["dev"], record.best_epoch or 0, "the weights in best.ckpt")
    except UserError as error:
        print_line(f"{run.name} is not scored: {error}")
        return False
    assert record.dev is not None
    dev = scored.scores["dev"].model_dump() | record.dev.model_dump(exclude_none=True)
    record.dev = type(record.dev).model_validate(dev)
    record.test = scored.scores.get("test")
    record.baselines = run.encoded.baselines
    described = record.corpus.model_dump(exclude_unset=True) if record.corpus else {}
    facts = {name: described[name] for name in ("name", "fingerprint", "verified") if name in described}
    record.corpus = CorpusFacts.model_validate(facts | run.encoded.facts.model_dump(exclude_unset=True))
    record.breakdown = breakdown_of(scored, run.encoded)
    write_scores_of_documents(folder, scored, run.encoded)
    write_record(folder, record)
    return True
