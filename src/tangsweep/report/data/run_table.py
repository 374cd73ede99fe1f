"""Turn a run's record into a row of the table `runs`; docs/report.md describes the columns."""

import math

from tangsweep.runs.record import (
    CorpusFacts,
    GitState,
    LastScores,
    PrimaryMetric,
    Quality,
    QualityFigures,
    Record,
    Scores,
    WandbRun,
)
from tangsweep.runs.state import State

TableValue = str | float | None  # bool and int are floats to a type checker
DEV_SCORES = (
    "loss", "bits_per_character", "accuracy", "perplexity_padded", "perplexity_mean_over_sentences",
    "perplexity_oov_charged", "nats_per_sequence",
)  # fmt: skip
QUALITY_FIGURES = ("rhyme", "tones", "distinct_1", "distinct_2", "distinct_3", "longest_copy", "copied_line")


def record_row(record: Record) -> dict[str, TableValue]:
    """Return the value of every column; None where the record has none."""
    primary = record.primary or PrimaryMetric()
    return {
        "status": record.status,
        "seed": record.seed,
        "metric": primary.metric,
        "mode": primary.mode,
        "error": record.error,
        "config_hash": record.config_hash,
        "ended": record.ended,
        "solved_step": record.solved_step,
        "diverged_step": record.diverged_step,
        "last_finite_loss": record.last_finite_loss,
        "best_epoch": record.best_epoch,
        "epochs": record.epochs,
        "steps": record.steps,
        "seconds": record.seconds,
        "characters_per_second": record.chars_per_second,
        "parameters": record.parameters,
        **_score_columns(record),
        **_corpus_columns(record.corpus or CorpusFacts()),
        **_provenance_columns(record),
        **_quality_columns(record.quality or Quality()),
    }


def _score_columns(record: Record) -> dict[str, TableValue]:
    dev, train, last = record.dev or Scores(), record.train or Scores(), record.last or LastScores()
    failed, baselines = record.status == State.FAILED, record.baselines or {}
    return {
        "dev_perplexity": _perplexity(record.dev, failed),
        **{f"dev_{name}": dev.value(name) for name in DEV_SCORES},
        "train_perplexity": _perplexity(record.train, failed),
        "train_loss": train.loss,
        "train_accuracy": train.accuracy,
        "last_dev_perplexity": _perplexity(last.dev, failed),
        "last_dev_accuracy": last.dev.accuracy if last.dev else None,
        "last_train_perplexity": _perplexity(last.train, failed),
        **{name: baselines.get(name) for name in ("uniform", "unigram", "bigram")},
    }


def _perplexity(scores: Scores | None, failed: bool) -> float | None:
    """Return infinity where scores exist without a perplexity: JSON cannot hold an infinite one."""
    if scores is None or scores.perplexity is not None:
        return scores and scores.perplexity
    return math.inf if scores.model_fields_set and not failed else None


def _corpus_columns(corpus: CorpusFacts) -> dict[str, TableValue]:
    return {
        "corpus": corpus.name,
        "corpus_fingerprint": corpus.fingerprint,
        "verified": corpus.verified,
        "train_characters": corpus.characters.train if corpus.characters else None,
        "dev_characters": corpus.characters.dev if corpus.characters else None,
        "length": corpus.length,
        "vocabulary": corpus.vocabulary,
        "vocabulary_fingerprint": corpus.vocabulary_fingerprint,
        "dev_fingerprint": corpus.dev_fingerprint,
        "split_fingerprint": corpus.split_fingerprint,
    }


def _provenance_columns(record: Record) -> dict[str, TableValue]:
    git, wandb, versions = record.git or GitState(), record.wandb or WandbRun(), record.versions or {}
    return {
        "commit": git.commit,
        "dirty": git.dirty,
        "python": versions.get("python"),
        "torch": versions.get("torch"),
        "machine": record.machine,
        "finished": record.finished,
        "threads": record.threads,
        "kernel": record.kernel,
        "gemm": record.gemm,
        "wandb_id": wandb.id,
        "wandb_path": wandb.path,
    }


def _quality_columns(quality: Quality) -> dict[str, TableValue]:
    columns: dict[str, TableValue] = {"right_lines": quality.right_lines, "prosody": quality.prosody}
    for kind, figures in (("free", quality.free), ("constrained", quality.constrained)):
        values = (figures or QualityFigures()).model_dump()
        columns |= {f"{kind}_{name}": values[name] for name in QUALITY_FIGURES}
    return columns
