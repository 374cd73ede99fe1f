"""Pretrained embeddings from a text file: `word v1 v2 …` a line, an optional header line first."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from tangsweep.corpora.script import to_traditional
from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.errors import UserError


class Coverage(NamedTuple):
    """How many of the vocabulary's characters took their row from the file."""

    found: int
    characters: int


def load(path: Path, known: Vocabulary, embedding: torch.Tensor) -> Coverage:
    """Overwrite rows of `embedding` (V, E) in place; characters not in the file keep theirs.

    A simplified character stands for its traditional form unless the file has that one too.
    Raises UserError where the file cannot be read, or a line is of another width or no numbers.
    """
    exact: dict[str, list[float]] = {}
    converted: dict[str, list[float]] = {}
    for word, vector in _rows(path, embedding.shape[1]):
        if word in known:
            exact[word] = vector
        elif len(word) == 1 and (traditional := to_traditional(word, known)) in known:
            converted.setdefault(traditional, vector)
    rows = converted | exact
    with torch.no_grad():
        for word, vector in rows.items():
            embedding[known.encode(word)[0]] = torch.tensor(vector, dtype=embedding.dtype)
    return Coverage(len(rows), len(known) - len(MARKS))


def _rows(path: Path, width: int) -> Iterator[tuple[str, list[float]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"model.pretrained_embeddings: cannot read {path} ({error})") from error
    for number, line in enumerate(lines, start=1):
        word, *values = line.split() or [""]
        if len(word) != 1 or (number == 1 and len(values) == 1):  # a longer word, or the header
            continue
        try:
            vector = [float(value) for value in values]
        except ValueError:
            raise UserError(f"{path}, line {number}: {word} is followed by no numbers") from None
        if len(vector) != width:
            raise UserError(
                f"{path}, line {number}: {len(vector)} numbers for {word}, but "
                f"model.embed_size={width}: set model.embed_size={len(vector)}"
            )
        yield word, vector
