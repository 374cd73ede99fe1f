"""The types of config values, each with the words that an error or the documentation says of it."""

import types
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo

from tangsweep.errors import did_you_mean


@dataclass(frozen=True)
class Words:
    """Marks a type with the words that complete "it must be …"."""

    text: str


def _ascending(values: list[int | float]) -> list[int | float]:
    if values[0] > values[1]:
        raise ValueError("the second is below the first")
    return values


def _chinese(text: str) -> str:
    if not all(unicodedata.name(character, "").startswith("CJK ") for character in text):
        raise ValueError("a character is not Chinese")
    return text


# Larger whole numbers are rounded in the report, whose tables and JSON hold them as floats of 64 bits.
MAX_SEED = 2**53 - 1
MAX_LINE = 100  # characters a line and lines a poem; a poem has a few
MAX_TEXT = 100_000  # characters of running text
# `int | float`, so that a number that was written 0 stays 0 and does not become 0.0.
Seed = Annotated[int, Field(ge=0, le=MAX_SEED), Words(f"a whole number from 0 to {MAX_SEED}")]
WholeNumber = Annotated[
    int, Field(ge=-MAX_SEED, le=MAX_SEED), Words(f"a whole number from {-MAX_SEED} to {MAX_SEED}")
]
NaturalNumber = Annotated[int, Field(ge=0), Words("a whole number of at least 0")]
PositiveCount = Annotated[int, Field(ge=1), Words("a whole number of at least 1")]
ThreadCount = Annotated[int, Field(ge=1, le=1024), Words("a whole number from 1 to 1024")]
LineCount = Annotated[int, Field(ge=1, le=MAX_LINE), Words(f"a whole number from 1 to {MAX_LINE}")]
TextLength = Annotated[int, Field(ge=1, le=MAX_TEXT), Words(f"a whole number from 1 to {MAX_TEXT}")]
AtLeastTwo = Annotated[int, Field(ge=2), Words("a whole number of at least 2")]
Number = Annotated[int | float, Words("a number")]
PositiveNumber = Annotated[int | float, Field(gt=0), Words("a number above 0")]
NonNegativeNumber = Annotated[int | float, Field(ge=0), Words("a number of at least 0")]
Fraction = Annotated[int | float, Field(gt=0, lt=1), Words("a number between 0 and 1")]
FractionOrZero = Annotated[int | float, Field(ge=0, lt=1), Words("a number from 0 to below 1")]
OpenRatio = Annotated[int | float, Field(gt=0, le=1), Words("a number above 0 and at most 1")]
DropoutRate = Annotated[int | float, Field(ge=0, lt=1), Words("a number from 0 to below 1")]
DecayRate = Annotated[int | float, Field(ge=0, le=1), Words("a number from 0 to 1")]
Betas = Annotated[
    list[DropoutRate], Field(min_length=2, max_length=2), Words("two numbers from 0 to below 1")
]
NumberRange = Annotated[
    list[int | float],
    Field(min_length=2, max_length=2),
    AfterValidator(_ascending),
    Words("two numbers, the second not below the first"),
]
Text = Annotated[str, Field(min_length=1), Words("text")]
ChineseText = Annotated[str, Field(min_length=1), AfterValidator(_chinese), Words("Chinese characters")]
AlwaysTrue = Annotated[Literal[True], Words("true")]
FolderName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"),
    Words("a folder's name of letters, digits, '.', '_' and '-'"),
]


def describe_valid_values(field: FieldInfo) -> str:
    """Describe the valid values of a field in words, such as "a whole number of at least 1, or null"."""
    return _describe(field.annotation, field.metadata)


def valid_words(field: FieldInfo) -> list[str]:
    """Return the words that a field of `Literal` type takes; empty for other fields."""
    return [str(word) for word in _literals(field.annotation)]


def suggest(value: object, field: FieldInfo) -> str:
    """Return "; did you mean X?" where `value` is nearly one of the words that the field takes."""
    hint = did_you_mean(str(value), valid_words(field)).strip()
    return f"; {hint}" if hint else ""


def _describe(annotation: object, metadata: Iterable[object] = ()) -> str:
    words = next((mark.text for mark in metadata if isinstance(mark, Words)), None)
    if words:
        return words
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _describe(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        members = [_describe(member) for member in arguments if member is not type(None)]
        return ", or ".join([*members, *(["null"] if type(None) in arguments else [])])
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is list:
        return f"a list of at least one, each {_describe(arguments[0])}"
    names = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
    return next((name for kind, name in names.items() if kind is annotation), "a group of keys")


def _literals(annotation: object) -> tuple[object, ...]:
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return arguments
    return tuple(word for argument in arguments for word in _literals(argument))
