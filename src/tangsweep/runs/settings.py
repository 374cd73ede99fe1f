"""Which values make sense: checked in a second, before any heavy import and before any run starts."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tangsweep.errors import UserError
from tangsweep.runs.identity import flat


class Rule(NamedTuple):
    """What a value must be, in words, and the test of it."""

    words: str
    holds: Callable[[Any], bool]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _form(value: Any) -> bool:
    match value:
        case {"chars": chars, "temperature": temperature, **rest}:
            return not rest and _whole(chars) and chars >= 1 and _number(temperature) and temperature >= 0
    return False


def _one_of(*words: str) -> Rule:
    return Rule(f"one of {', '.join(words)}", lambda v: v in words)


def _or_null(rule: Rule) -> Rule:
    return Rule(f"{rule.words}, or null", lambda v: v is None or rule.holds(v))


COUNT = Rule("a whole number of at least 1", lambda v: _whole(v) and v >= 1)
WHOLE = Rule("a whole number", _whole)
POSITIVE = Rule("a number above 0", lambda v: _number(v) and v > 0)
NUMBER = Rule("a number", _number)
TEXT = Rule("text", lambda v: isinstance(v, str) and v != "")
FOLDER = Rule(
    "a folder's name of letters, digits, '.', '_' and '-'",
    lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", v) is not None,
)
FORMS = Rule(
    "a list of {chars: a whole number of at least 1, temperature: a number of at least 0}",
    lambda v: isinstance(v, list) and all(map(_form, v)),
)
GROUPS = (
    "corpus",
    "data",
    "cell",
    "model",
    "init",
    "optimizer",
    "scheduler",
    "trainer",
    "logger",
    "sweep",
    "poems",
)
FLAG = Rule("true or false", lambda v: isinstance(v, bool))

RULES: dict[str, Rule] = {
    "logger.mode": _or_null(_one_of("online", "offline", "disabled")),
    "corpus.root": _or_null(TEXT),
    "corpus.url": _or_null(TEXT),
    "corpus.verify": FLAG,
    "sweep.name": _or_null(FOLDER),
    "poems.starts": TEXT,
    "poems.forms": FORMS,
    "model.pretrained_embeddings": _or_null(TEXT),
    "trainer.accelerator": _one_of("cpu", "gpu"),
    "trainer.precision": _one_of("32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true"),
    "seed": Rule("a whole number of at least 0", lambda v: _whole(v) and v >= 0),
    "data.poems": _or_null(COUNT),
    "data.duplicates": _one_of("drop", "keep"),
    "data.min_chars": COUNT,
    "data.max_chars": COUNT,
    "data.long": _one_of("chunk", "truncate"),
    "data.punctuation": _one_of("keep", "drop"),
    "data.min_freq": COUNT,
    "data.split": _one_of("fraction", "fixed"),
    "data.train_fraction": Rule("a number between 0 and 1", lambda v: _number(v) and 0 < v < 1),
    "data.train_poems": _or_null(COUNT),
    "data.dev_poems": _or_null(COUNT),
    "data.pool": _or_null(COUNT),
    "data.split_seed": _or_null(WHOLE),
    "data.pad": _one_of("batch", "fixed"),
    "data.score_pads": FLAG,
    "data.batch_size": COUNT,
    "model.embed_size": COUNT,
    "model.hidden_size": COUNT,
    "model.layers": COUNT,
    "model.dropout": Rule("a number from 0 to below 1", lambda v: _number(v) and 0 <= v < 1),
    "init.forget_bias": NUMBER,
    "optimizer.lr": POSITIVE,
    "trainer.max_epochs": _or_null(COUNT),
    "trainer.max_steps": _or_null(COUNT),
    "trainer.gradient_clip_val": _or_null(POSITIVE),
    "trainer.patience": _or_null(COUNT),
    "trainer.threads": COUNT,
    "trainer.log_every": COUNT,
    "poems.lines": COUNT,
}
OPTIONAL = ("logger.mode",)  # keys of some files of a group only


def check(config: Mapping[str, Any]) -> None:
    """Raises UserError, naming key, value and what it must be, for the first value without sense."""
    for group in GROUPS:
        if not isinstance(config.get(group), Mapping):
            raise UserError(
                f"{group}={_shown(config.get(group))} makes no sense: choose one of conf/{group}/"
            )
    values = dict(flat(config))
    for key, rule in RULES.items():
        if key not in values and key not in OPTIONAL:
            raise UserError(f"{key} is missing, or no single value: it must be {rule.words}")
        if key in values and not rule.holds(values[key]):
            raise UserError(f"{key}={_shown(values[key])} makes no sense: it must be {rule.words}")
    _check_together(values)


def _check_together(values: Mapping[str, Any]) -> None:
    if values["data.max_chars"] < values["data.min_chars"]:
        raise UserError(
            f"data.max_chars={values['data.max_chars']} is below "
            f"data.min_chars={values['data.min_chars']}: raise the one or lower the other"
        )
    if values["trainer.max_epochs"] is None and values["trainer.max_steps"] is None:
        raise UserError("nothing ends the run: set trainer.max_epochs or trainer.max_steps")
    if values["data.split"] == "fixed":
        pool, poems = values["data.pool"], values["data.poems"]
        if pool is None or values["data.dev_poems"] is None:
            raise UserError("data.split=fixed needs data.pool and data.dev_poems: set both")
        if poems is not None and poems > pool:
            raise UserError(f"data.poems={poems} is more than data.pool={pool}: raise data.pool")
    if values.get("scheduler.T_max", 0) is None:
        raise UserError("scheduler=cosine needs trainer.max_epochs: set it, or scheduler=none")


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)
