"""Read pretrained embeddings from a text file: `word v1 v2 …` a line, after an optional header line."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tangsweep.corpora.chinese_script import to_traditional
from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError
from tangsweep.files import atomic_write, read_regular_file


def read_embeddings(path: Path, vocabulary: Vocabulary, width: int) -> dict[str, list[float]]:
    """Return the vectors of those characters of the vocabulary that the file has.

    The vector of a simplified character is used for its traditional form if the file lacks the latter.
    Raises UserError if the file cannot be read, a vector has another width, or a value is not a number.
    """
    exact: dict[str, list[float]] = {}
    converted: dict[str, list[float]] = {}
    for word, vector in _read_vectors(path, width):
        if word in vocabulary:
            exact[word] = vector
        elif (traditional := to_traditional(word, vocabulary)) in vocabulary:
            converted.setdefault(traditional, vector)
    return converted | exact


def check_embedding_file(path: Path, width: int) -> None:
    """Read the first vector. Raises UserError as `read_embeddings` does, or if there is no vector."""
    if next(_read_vectors(path, width), None) is None:
        raise UserError(f"{path} holds no vector of a single character: name another file")


class VectorSource(NamedTuple):
    """The poems that vectors were made of: those of a corpus after the first `skip`."""

    corpus: str
    skip: int


def write_vector_source(path: Path, source: VectorSource) -> None:
    """Write beside a file of vectors what they were made of."""
    atomic_write(_source_file(path), json.dumps(source._asdict()) + "\n")


def check_vector_source(path: Path, corpus: str, poems_to_read: int | None) -> None:
    """Raise UserError where the vectors were made of poems that a run reads, and may be scored on.

    `poems_to_read` is how many of the first poems of the corpus the run reads, for its test set as well;
    None: all. Files of unknown source are accepted.
    """
    if not _source_file(path).exists():
        return
    try:
        source = VectorSource(**json.loads(read_regular_file(_source_file(path))))
        is_sound = isinstance(source.corpus, str) and isinstance(source.skip, int)
    except (OSError, ValueError, TypeError, RecursionError):
        is_sound = False
    if not is_sound:
        raise UserError(f"{_source_file(path)} is damaged: make the vectors again, or remove it")
    if source.corpus == corpus and (poems_to_read is None or poems_to_read > source.skip):
        reads = "all poems" if poems_to_read is None else f"the first {poems_to_read:,} poems"
        raise UserError(
            f"model.pretrained_embeddings: {path} was made of all poems after the first {source.skip:,}, and "
            f"this run reads {reads}, some of them for its test set: make vectors with a larger --skip"
        )


def _source_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.source.json")


def _read_vectors(path: Path, width: int) -> Iterator[tuple[str, list[float]]]:
    """Yield the vectors of single characters; longer words are skipped."""
    if path.exists() and not path.is_file():  # a pipe or a device would be read for ever
        raise UserError(f"model.pretrained_embeddings: {path} is no regular file: name another")
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                word, *values = line.split() or [""]
                is_header = number == 1 and len(values) == 1 and word.isdigit()
                if len(word) == 1 and not is_header:
                    yield word, _parse_vector(values, width, f"{path}, line {number}: {word}")
    except FileNotFoundError:
        raise UserError(
            f"model.pretrained_embeddings: {path} does not exist: name a word-vector file, or make "
            "one with python -m tangsweep.corpora.character_vectors"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"model.pretrained_embeddings: cannot read {path} ({error})") from error


def _parse_vector(values: list[str], width: int, location: str) -> list[float]:
    try:
        vector = [float(value) for value in values]
    except ValueError:
        vector = [math.nan]
    if not all(map(math.isfinite, vector)):
        raise UserError(f"{location} is followed by a value that is not a finite number: correct the file")
    if len(vector) != width:
        raise UserError(
            f"{location} has {len(vector)} numbers, but model.embed_size={width}: "
            f"set model.embed_size={len(vector)}"
        )
    return vector
