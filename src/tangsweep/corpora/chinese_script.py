"""Simplified and traditional characters: 红 on the keyboard, 紅 in the corpus, 红 in print if you like."""

from collections.abc import Container
from functools import cache
from typing import Any


@cache
def _converter(kind: str) -> Any:
    import opencc

    return opencc.OpenCC(kind)


def to_traditional(text: str, known: Container[str]) -> str:
    """`text` with every character that is not `known` in its traditional form.

    A known character is left alone: 余 and 后 are words of their own in traditional text.
    """
    return "".join(c if c in known else _converter("s2t").convert(c) for c in text)


def to_simplified(text: str) -> str:
    """`text` with each character in its simplified form."""
    return "".join(map(_converter("t2s").convert, text))
