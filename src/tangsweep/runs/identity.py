"""What a run is: a hash of its resolved config, less what cannot change its result, and its corpus."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

# Keys, or whole groups, that say where and how a run is made, not what comes out. Threads change the
# last bits of a result, not what was asked for; the record names them.
VOLATILE = frozenset(
    {
        "corpus.path",
        "corpus.root",
        "corpus.url",
        "corpus.verify",
        "logger",
        "published",
        "sweep",
        "trainer.log_every",
        "trainer.threads",
    }
)
SLUG_LENGTH = 80


def config_hash(config: Mapping[str, Any], corpus_fingerprint: str) -> str:
    """Eight hex digits of the config without VOLATILE keys, and of the corpus."""
    kept = {key: value for key, value in flat(config) if not volatile(key)}
    described = json.dumps([kept, corpus_fingerprint], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(described.encode("utf-8")).hexdigest()[:8]


def flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """(`group.key`, value) of every leaf; lists and empty mappings are leaves."""
    leaves: list[tuple[str, Any]] = []
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            leaves += flat(value, f"{name}.")
        else:
            leaves.append((name, value))
    return leaves


def volatile(key: str) -> bool:
    """Whether `key` or a group that it belongs to is listed in VOLATILE."""
    parts = key.split(".")
    return any(".".join(parts[:n]) in VOLATILE for n in range(1, len(parts) + 1))


def slug(overrides: Sequence[str]) -> str:
    """A readable folder name of `[A-Za-z0-9._-]` for what was varied: `optimizer-adam_lr-0.01`."""
    parts = []
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        parts.append(f"{key.rpartition('.')[2]}-{value}")
    return clean("_".join(parts))[:SLUG_LENGTH].rstrip("-._") or "run"


def clean(name: str) -> str:
    """`name` with every run of other characters than `[A-Za-z0-9._-]` turned into one dash, + dropped."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.replace("+", "")).strip("-.")
