"""Simplified and traditional characters: 红 on the keyboard, 紅 in the corpus."""

from collections.abc import Container
from functools import cache
from typing import Any


@cache
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("s2t")


def to_traditional(text: str, known: Container[str]) -> str:
    """`text` in traditional characters; where only the original is `known`, it is kept."""
    converted = _converter().convert(text)
    if len(converted) != len(text):
        return text
    return "".join(
        new if new in known or old not in known else old for old, new in zip(text, converted, strict=True)
    )
