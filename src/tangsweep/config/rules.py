"""What a value of the config must be, in words and as a test."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tangsweep.errors import UserError


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


def one_of(*words: str) -> Rule:
    return Rule(f"one of {', '.join(words)}", lambda v: v in words)


def or_null(rule: Rule) -> Rule:
    return Rule(f"{rule.words}, or null", lambda v: v is None or rule.holds(v))


def list_of(rule: Rule) -> Rule:
    return Rule(
        f"a list of at least one, each {rule.words}",
        lambda v: isinstance(v, list) and v != [] and all(map(rule.holds, v)),
    )


COUNT = Rule("a whole number of at least 1", lambda v: _whole(v) and v >= 1)
FROM_2 = Rule("a whole number of at least 2", lambda v: _whole(v) and v >= 2)
NATURAL = Rule("a whole number of at least 0", lambda v: _whole(v) and v >= 0)
WHOLE = Rule("a whole number", _whole)
POSITIVE = Rule("a number above 0", lambda v: _number(v) and v > 0)
NOT_NEGATIVE = Rule("a number of at least 0", lambda v: _number(v) and v >= 0)
NUMBER = Rule("a number", _number)
SHARE = Rule("a number between 0 and 1", lambda v: _number(v) and 0 < v < 1)
OPENING = Rule("a number above 0 and at most 1", lambda v: _number(v) and 0 < v <= 1)
DROPOUT = Rule("a number from 0 to below 1", lambda v: _number(v) and 0 <= v < 1)
RANGE = Rule(
    "two numbers, the second not below the first",
    lambda v: isinstance(v, list) and len(v) == 2 and all(map(_number, v)) and v[0] <= v[1],
)
TEXT = Rule("text", lambda v: isinstance(v, str) and v != "")
FLAG = Rule("true or false", lambda v: isinstance(v, bool))
ONE_PASS = Rule("null, because an epoch of poems is one pass", lambda v: v is None)
OPEN_SHARE = Rule("a number from 0 to 1", lambda v: _number(v) and 0 <= v <= 1)
BETAS = Rule(
    "two numbers from 0 to below 1",
    lambda v: isinstance(v, list) and len(v) == 2 and all(_number(b) and 0 <= b < 1 for b in v),
)
FOLDER = Rule(
    "a folder's name of letters, digits, '.', '_' and '-'",
    lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", v) is not None,
)
FORMS = Rule(
    "a list of {chars: a whole number of at least 1, temperature: a number of at least 0}",
    lambda v: isinstance(v, list) and all(map(_form, v)),
)


def hold(rules: Mapping[str, Rule], values: Mapping[str, Any], data: str = "") -> None:
    """Raises UserError, naming key, value and what it must be, for the first of `values` that breaks one.

    `data` is the file of conf/data/ that holds the keys of that group.
    """
    for key, rule in rules.items():
        if key not in values and data and key.startswith("data."):
            raise UserError(f"{key} is missing: this corpus goes with data={data}")
        if key not in values:
            raise UserError(f"{key} is missing, or no single value: it must be {rule.words}")
        if not rule.holds(values[key]):
            raise UserError(f"{key}={shown(values[key])} makes no sense: it must be {rule.words}")


def shown(value: Any) -> str:
    """A value as the command line would have it."""
    return "null" if value is None else str(value)
