"""Simplified and traditional characters: 红 on the keyboard, 紅 in the corpus."""

from collections.abc import Container
from functools import cache
from typing import Any


@cache
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("s2t")


def to_traditional(text: str, known: Container[str]) -> str:
    """`text` with every character that is not `known` in its traditional form.

    A known character is left alone: 余 and 后 are words of their own in traditional text.
    """
    return "".join(c if c in known else _converter().convert(c) for c in text)
