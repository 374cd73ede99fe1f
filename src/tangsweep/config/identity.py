"""What a run is: a hash of its resolved config, less what cannot change its result, and its corpus."""

import hashlib
import json
from collections.abc import Collection, Container, Mapping, Sequence
from typing import Any

from tangsweep.files import safe_name

# Keys, or whole groups, that say where and how a run is made, not what comes out. Threads and kernels
# change the last bits of a result, not what was asked for; the record names them.
VOLATILE = frozenset(
    {
        "cell.kernel",
        "corpus.path",
        "corpus.root",
        "corpus.url",
        "corpus.verify",
        "extend",
        "fail_fast",
        "logger",
        "plan",
        "poems.quality",
        "published",
        "report",
        "rerun",
        "sweep",
        "trainer.log_every",
        "trainer.threads",
        "unlock",
    }
)
# What comes out depends on these. A test demands that every key of every config is in one of the two lists.
IDENTITY = frozenset(
    {
        "cell",
        "corpus",
        "data",
        "init",
        "model",
        "optimizer",
        "poems",
        "samples",
        "scheduler",
        "seed",
        "trainer",
    }
)
# Keys that came after the first records were made, each with the value that says what was so before: with
# it they leave the hash as it was, so that an update orphans no finished run.
ADDED = {
    "corpus.task": "poems",
    "model.input": "embedding",
    "model.tie_weights": False,
    "samples.every": 500,
    "samples.length": 100,
    "samples.prompt_temperature": 0.5,
    "samples.prompts": [
        "To be, or not to be, that is the question: Whether ",
        "History will be kind to me for I intend to ",
        "Hansel and Gr",
        "Let T be a bounded linear operator in V, a vector space. ",
        "Mas vale pajaro en mano que ver un ciento v",
    ],
    "samples.temperatures": [0, 0.5, 1, 2],
    "trainer.give_up": False,
    "trainer.val_every": None,
}
LENGTH = ("trainer.max_epochs", "trainer.max_steps")  # how long a run goes on, and nothing else
SLUG_LENGTH = 80


def config_hash(config: Mapping[str, Any], corpus_fingerprint: str, left_out: Collection[str] = ()) -> str:
    """Eight hex digits of the config without VOLATILE keys and ADDED ones of old, and of the corpus.

    Keys and groups `left_out` beside those tell which runs are the same but for them.
    """
    kept = {
        key: value
        for key, value in flatten(config)
        if not is_volatile(key) and not (key in ADDED and ADDED[key] == value) and not _listed(key, left_out)
    }
    described = json.dumps([kept, corpus_fingerprint], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(described.encode("utf-8")).hexdigest()[:8]


def flatten(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """(`group.key`, value) of every leaf; lists and empty mappings are leaves."""
    leaves: list[tuple[str, Any]] = []
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            leaves += flatten(value, f"{name}.")
        else:
            leaves.append((name, value))
    return leaves


def is_volatile(key: str) -> bool:
    """Whether `key` or a group that it belongs to is listed in VOLATILE."""
    return _listed(key, VOLATILE)


def classified(key: str) -> bool:
    """Whether somebody decided if `key` belongs to a run's identity."""
    return is_volatile(key) or _listed(key, IDENTITY)


def _listed(key: str, names: Container[str]) -> bool:
    parts = key.split(".")
    return any(".".join(parts[:n]) in names for n in range(1, len(parts) + 1))


def slug(overrides: Sequence[str]) -> str:
    """A readable folder name of `[A-Za-z0-9._-]` for what was varied: `optimizer-adam_lr-0.01`.

    What cannot change a result is no part of it.
    """
    parts = []
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if is_volatile(key):
            continue
        parts.append(f"{key.rpartition('.')[2]}-{value}")
    return safe_name("_".join(parts))[:SLUG_LENGTH].rstrip("-._") or "run"
