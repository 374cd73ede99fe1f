"""A run's identity: a hash of its composed config, without the keys that cannot change its result.

Whether the run of an identity has ended is decided by runs/state.py.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from tangsweep.config import cell_options, data_options
from tangsweep.config.cell_options import CellOptions
from tangsweep.config.data_options import CorpusOptions, DataOptions, PoemSplitOptions
from tangsweep.config.options import Options, is_marked_volatile, value_before
from tangsweep.config.run_config import RunConfig
from tangsweep.files import safe_name

PlainConfig = Mapping[str, Any]  # a composed config
LENGTH_KEYS = ("trainer.max_epochs", "trainer.max_steps")  # how long a run goes on, and nothing else
SLUG_LENGTH = 80


class KeyMarks(NamedTuple):
    """The keys, or whole groups, whose declaration says more than that they belong to the identity."""

    volatile: frozenset[str]
    value_before: PlainConfig  # keys added later → the value that means "as before"


@cache
def key_marks() -> KeyMarks:
    """Collect the marks of every class in config/. A task's own keys always belong to the identity."""
    volatile, before = set(), {}
    for name, field in _declared_keys():
        if is_marked_volatile(field):
            volatile.add(name)
        for value in value_before(field):
            before[name] = value
    return KeyMarks(frozenset(volatile), before)


def _declared_keys() -> Iterator[tuple[str, FieldInfo]]:
    kinds: dict[str, type[Options]] = {"cell.": CellOptions, "corpus.": CorpusOptions, "data.": DataOptions}
    classes = [*_options_in(cell_options), *_options_in(data_options)]
    own = [(prefix, group) for prefix, kind in kinds.items() for group in classes if issubclass(group, kind)]
    run: type[Options] = RunConfig
    for prefix, group in [("", run), *own]:
        for name, field in group.model_fields.items():
            key = f"{prefix}{field.alias or name}"
            yield key, field
            nested = field.annotation
            if isinstance(nested, type) and issubclass(nested, Options):
                for inner, inner_field in nested.model_fields.items():
                    yield f"{key}.{inner_field.alias or inner}", inner_field


def _options_in(module: ModuleType) -> list[type[Options]]:
    classes = (value for value in vars(module).values() if isinstance(value, type))
    return [value for value in classes if issubclass(value, Options) and value.__module__ == module.__name__]


def is_cosine_over_steps(config: PlainConfig) -> bool:
    """Return whether a cosine schedule is stepped with the optimizer, because steps decide a run's length."""
    is_cosine = str(config["scheduler"].get("_target_")).endswith(".CosineAnnealingLR")
    return is_cosine and config["trainer"]["max_steps"] is not None


def is_stepped_with_optimizer(config: PlainConfig) -> bool:
    """Return whether the schedule is stepped with the optimizer and depends on the length of the run."""
    has_warmup = str(config["scheduler"].get("_target_")).endswith(".warmup_decay")
    return has_warmup or is_cosine_over_steps(config)


def _is_scored_in_own_precision(config: PlainConfig) -> bool:
    return config["trainer"]["precision"] in ("64-true", "bf16-true", "16-true")


def _takes_test_from_training(config: PlainConfig) -> bool:
    """Return whether poems that an earlier version would have trained on are the test set."""
    if config["corpus"].get("task", "poems") != "poems" or "test_poems" not in config["data"]:
        return False
    options = {key: config["data"][key] for key in PoemSplitOptions.model_fields if key in config["data"]}
    return PoemSplitOptions.model_validate(options).takes_test_from_training


# Configs whose results an update of the project changed: these alone have another identity than before.
CHANGED_RESULTS: dict[str, Callable[[PlainConfig], bool]] = {
    "cosine schedule over optimizer steps": is_cosine_over_steps,
    "scored in at least float32, with the weights' own type": _is_scored_in_own_precision,
    "a tenth of all poems is the test set": _takes_test_from_training,
}


def config_hash(config: PlainConfig, corpus_fingerprint: str, left_out: Collection[str] = ()) -> str:
    """Return eight hex digits of a composed config and its corpus.

    Volatile keys do not count, nor do keys that were added later and have their value from before: an update
    of the project orphans no finished run. Keys and groups that are `left_out` beside those tell which runs
    are the same but for them.
    """
    counted = {
        key: value
        for key, value in flatten(config)
        if not is_volatile(key) and not has_value_before(key, value) and not _in_groups(key, left_out)
    }
    changed = [name for name, applies in CHANGED_RESULTS.items() if applies(config)]
    described = json.dumps([counted, corpus_fingerprint, *changed], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(described.encode("utf-8")).hexdigest()[:8]


def flatten(config: PlainConfig, prefix: str = "") -> list[tuple[str, Any]]:
    """Return (`group.key`, value) of every leaf; lists and empty mappings are leaves."""
    leaves: list[tuple[str, Any]] = []
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            leaves += flatten(value, f"{name}.")
        else:
            leaves.append((name, value))
    return leaves


def is_volatile(key: str) -> bool:
    """Return whether `key`, or a group that it belongs to, cannot change a run's result."""
    return _in_groups(key, key_marks().volatile)


def has_value_before(key: str, value: Any) -> bool:
    """Return whether `key` was added after the first records and `value` means "as it was before"."""
    before = key_marks().value_before
    return key in before and bool(before[key] == value)


def _in_groups(key: str, names: Collection[str]) -> bool:
    parts = key.split(".")
    return any(".".join(parts[:n]) in names for n in range(1, len(parts) + 1))


def slug(overrides: Sequence[str]) -> str:
    """Return a readable folder name of `[A-Za-z0-9._-]`: `optimizer-adam_lr-0.01`; volatile keys are
    left out.
    """
    parts = []
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if not is_volatile(key):
            parts.append(f"{key.rpartition('.')[2]}-{value}")
    return safe_name("_".join(parts))[:SLUG_LENGTH].rstrip("-._") or "run"
