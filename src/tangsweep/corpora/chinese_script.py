"""Convert between simplified and traditional characters: 红 is typed or printed, 紅 is in the corpus."""

from collections.abc import Container
from functools import cache
from typing import Protocol


class ScriptConverter(Protocol):
    """The part of `opencc.OpenCC` that is used here; opencc has no type information."""

    def convert(self, text: str) -> str: ...


@cache
def _opencc_converter(config: str) -> ScriptConverter:
    import opencc  # loads its dictionaries

    converter: ScriptConverter = opencc.OpenCC(config)
    return converter


def to_traditional(text: str, vocabulary: Container[str]) -> str:
    """Return `text` with each character that is not in the vocabulary in its traditional form.

    Characters of the vocabulary stay: 余 and 后 are words of their own in traditional text.
    """
    return "".join(c if c in vocabulary else _opencc_converter("s2t").convert(c) for c in text)


def to_simplified(text: str) -> str:
    """Return `text` with each character in its simplified form."""
    return "".join(map(_opencc_converter("t2s").convert, text))
