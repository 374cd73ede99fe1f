"""Pretrained embeddings from a text file: `word v1 v2 …` a line, an optional header line first."""

import math
from collections.abc import Iterator
from pathlib import Path

from tangsweep.corpora.chinese_script import to_traditional
from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError


def read(path: Path, known: Vocabulary, width: int) -> dict[str, list[float]]:
    """The vector of every character of the vocabulary that the file has.

    A simplified character stands for its traditional form unless the file has that one too.
    Raises UserError where the file cannot be read, or a line is of another width or no numbers.
    """
    exact: dict[str, list[float]] = {}
    converted: dict[str, list[float]] = {}
    for word, vector in _rows(path, width):
        if word in known:
            exact[word] = vector
        elif (traditional := to_traditional(word, known)) in known:
            converted.setdefault(traditional, vector)
    return converted | exact


def check(path: Path, width: int) -> None:
    """Raises UserError, as `read` does, for what the first vector shows."""
    if next(_rows(path, width), None) is None:
        raise UserError(f"{path} holds no vector of a single character: name another file")


def _rows(path: Path, width: int) -> Iterator[tuple[str, list[float]]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                word, *values = line.split() or [""]
                header = number == 1 and len(values) == 1 and word.isdigit()
                if len(word) == 1 and not header:
                    yield word, _vector(values, width, f"{path}, line {number}: {word}")
    except FileNotFoundError:
        raise UserError(
            f"model.pretrained_embeddings: {path} does not exist: name a word-vector file, or make "
            "one with python -m tangsweep.corpora.character_vectors"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"model.pretrained_embeddings: cannot read {path} ({error})") from error


def _vector(values: list[str], width: int, where: str) -> list[float]:
    try:
        vector = [float(value) for value in values]
    except ValueError:
        vector = [math.nan]
    if not all(map(math.isfinite, vector)):
        raise UserError(f"{where} is followed by something that is no finite number: mend the file")
    if len(vector) != width:
        raise UserError(
            f"{where} has {len(vector)} numbers, but model.embed_size={width}: "
            f"set model.embed_size={len(vector)}"
        )
    return vector
