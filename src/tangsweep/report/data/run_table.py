"""A run's record as one row of a table; docs/report.md says what the columns are."""

import math
import sys
from collections.abc import Mapping
from typing import Any

QUALITY = ("rhyme", "tones", "distinct_1", "distinct_2", "distinct_3", "longest_copy", "copied_line")
# Column → where result.json holds it.
RECORD_FIELDS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "seed": ("seed",),
    "metric": ("primary", "metric"),
    "mode": ("primary", "mode"),
    "error": ("error",),
    "config_hash": ("config_hash",),
    "ended": ("ended",),
    "solved_step": ("solved_step",),
    "diverged_step": ("diverged_step",),
    "last_finite_loss": ("last_finite_loss",),
    "best_epoch": ("best_epoch",),
    "epochs": ("epochs",),
    "steps": ("steps",),
    "seconds": ("seconds",),
    "characters_per_second": ("chars_per_second",),
    "parameters": ("parameters",),
    **{f"dev_{key}": ("dev", key) for key in (
        "perplexity", "loss", "bits_per_character", "accuracy", "perplexity_padded",
        "perplexity_mean_over_sentences", "perplexity_oov_charged", "nats_per_sequence")},
    "train_perplexity": ("train", "perplexity"),
    "train_loss": ("train", "loss"),
    "train_accuracy": ("train", "accuracy"),
    "last_dev_perplexity": ("last", "dev", "perplexity"),
    "last_dev_accuracy": ("last", "dev", "accuracy"),
    "last_train_perplexity": ("last", "train", "perplexity"),
    **{key: ("baselines", key) for key in ("uniform", "unigram", "bigram")},
    "corpus": ("corpus", "name"),
    "corpus_fingerprint": ("corpus", "fingerprint"),
    "verified": ("corpus", "verified"),
    "train_characters": ("corpus", "characters", "train"),
    "dev_characters": ("corpus", "characters", "dev"),
    "length": ("corpus", "length"),
    "vocabulary": ("corpus", "vocabulary"),
    "vocabulary_fingerprint": ("corpus", "vocabulary_fingerprint"),
    "dev_fingerprint": ("corpus", "dev_fingerprint"),
    "split_fingerprint": ("corpus", "split_fingerprint"),
    "commit": ("git", "commit"),
    "dirty": ("git", "dirty"),
    "python": ("versions", "python"),
    "torch": ("versions", "torch"),
    "machine": ("machine",),
    "finished": ("finished",),
    "threads": ("threads",),
    "kernel": ("kernel",),
    "gemm": ("gemm",),
    "wandb_id": ("wandb", "id"),
    "wandb_path": ("wandb", "path"),
    "right_lines": ("quality", "right_lines"),
    "prosody": ("quality", "prosody"),
    **{f"{asked}_{key}": ("quality", asked, key) for asked in ("free", "constrained") for key in QUALITY},
}  # fmt: skip
# Scores that JSON cannot hold when they are infinite; null then means just that.
UNBOUNDED = ("dev_perplexity", "train_perplexity", "last_dev_perplexity", "last_train_perplexity")


def row(result: Mapping[str, Any]) -> dict[str, Any]:
    """Every column; None where the record has nothing."""
    found = {column: _at(result, place) for column, place in RECORD_FIELDS.items()}
    for column in UNBOUNDED:
        if found[column] is None and _at(result, RECORD_FIELDS[column][:-1]) and found["status"] != "failed":
            found[column] = math.inf
    return found


TEXTS = frozenset(
    {"status", "metric", "mode", "error", "config_hash", "ended", "corpus", "corpus_fingerprint",
     "vocabulary_fingerprint", "dev_fingerprint", "split_fingerprint", "commit", "python", "torch", "machine",
     "finished", "kernel", "gemm", "wandb_id", "wandb_path", "prosody"}
)  # fmt: skip
FLAGS = frozenset({"verified", "dirty"})  # every other column holds numbers
WHOLE = frozenset({"seed", "length"})


def clear_wrong(kept: dict[str, Any]) -> list[str]:
    """Take out of a record what is of another type than it should be; where that was."""
    wrong = []
    for name in {place[0] for place in RECORD_FIELDS.values() if len(place) > 1} | {"published"}:
        if not isinstance(kept.get(name), Mapping | None):
            kept[name] = None
            wrong.append(name)
    if not isinstance(kept.get("overrides"), list | None):
        kept["overrides"] = None
        wrong.append("overrides")
    for column, place in RECORD_FIELDS.items():
        if not _right(column, _at(kept, place)):
            _clear(kept, place)
            wrong.append(".".join(place))
    return sorted(wrong)


def _right(column: str, value: Any) -> bool:
    if value is None:
        return True
    if column in TEXTS:
        return isinstance(value, str)
    if column in FLAGS:
        return isinstance(value, bool)
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        return False
    if column in WHOLE and value != int(value):
        return False
    return column in UNBOUNDED or abs(value) <= sys.float_info.max


def _clear(result: dict[str, Any], place: tuple[str, ...]) -> None:
    for key in place[:-1]:
        result = result[key]
    result[place[-1]] = None


def overridden(result: Mapping[str, Any]) -> list[str]:
    """The overrides, as they were written."""
    return list(map(str, result.get("overrides") or []))


def _at(result: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        if not isinstance(result, Mapping):
            return None
        result = result.get(key)
    return result
