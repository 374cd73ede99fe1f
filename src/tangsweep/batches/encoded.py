"""Text as arrays of ids, with the facts about it that every record carries; cached by content."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np

from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.runs.record import CorpusFacts
from tangsweep.files import atomic_write, data_folder

KEPT = 4  # encoded texts in memory
FORMAT = 4  # raise it whenever the same settings would give other arrays or facts


class Sequences(NamedTuple):
    """Sequences of ids end to end: the i-th is `ids[starts[i]:starts[i + 1]]`.

    A whole poem reads `<bos> … <eos>`; a chunk that its poem goes on after has no `<eos>`; a book is
    one sequence without marks. The inputs of a sequence are all ids but its last, its targets all but
    its first.
    """

    ids: np.ndarray  # (total,) int32
    starts: np.ndarray  # (sequences + 1,) int64

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.starts)

    @property
    def targets(self) -> np.ndarray:
        """Every scored id, in order: all but the first of each sequence."""
        scored = np.ones(len(self.ids), dtype=bool)
        scored[self.starts[:-1]] = False
        return self.ids[scored]


class Encoded(NamedTuple):
    """What a run trains and is scored on."""

    vocabulary: Vocabulary
    train: Sequences
    dev: Sequences
    facts: CorpusFacts  # counts of characters, OOV, fingerprints
    baselines: dict[str, float | None]  # perplexities that need no training

    @property
    def tokens(self) -> tuple[str, ...]:
        """What the model predicts, by id."""
        return self.vocabulary.tokens

    @property
    def inputs(self) -> int:
        """How many ids the model reads."""
        return len(self.vocabulary)


_in_memory: dict[Path, Encoded] = {}  # by cache file, the oldest first


def cached(described: Iterable[Any], encode: Callable[[], Encoded]) -> Encoded:
    """The encoded text, from the cache where the same was encoded alike before.

    `described` are plain values that say what is encoded and how. Two processes that come here at once
    wait for each other; a damaged cache file is built anew. The last few stay in memory: the runs of a
    sweep share their arrays, which nothing writes to.
    """
    written = json.dumps([FORMAT, *described], sort_keys=True)
    path = data_folder() / "cache" / f"{hashlib.sha256(written.encode()).hexdigest()[:16]}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path not in _in_memory:
        with filelock.FileLock(path.with_suffix(".lock")):
            try:
                found = _load(path.read_bytes())
            except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
                found = encode()
                atomic_write(path, _dump(found))
        while len(_in_memory) >= KEPT:
            del _in_memory[next(iter(_in_memory))]
        _in_memory[path] = found
    return _in_memory[path]


def oov(sequences: Sequences, texts: Iterable[str], known: Vocabulary) -> dict[str, Any]:
    """How many scored characters are `<oov>`, their share, and how many characters they stand for."""
    unknown = sequences.targets == known.oov
    types = {character for text in texts for character in text}
    return {
        "positions": int(unknown.sum()),
        "rate": float(unknown.mean()),
        "unseen_types": sum(character not in known for character in types),
    }


def fingerprint(*arrays: np.ndarray) -> str:
    """Twelve hex digits of the arrays' values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]


def _dump(encoded: Encoded) -> bytes:
    buffer = io.BytesIO()
    facts = encoded.facts.model_dump(exclude_unset=True) | {"baselines": encoded.baselines}
    text = json.dumps({"tokens": encoded.vocabulary.tokens, "facts": facts})
    arrays = {
        f"{side}_{name}": array
        for side in ("train", "dev")
        for name, array in getattr(encoded, side)._asdict().items()
    }
    np.savez(buffer, text=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    return buffer.getvalue()


def _load(content: bytes) -> Encoded:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        text = json.loads(stored["text"].tobytes())
        train = Sequences(stored["train_ids"], stored["train_starts"])
        dev = Sequences(stored["dev_ids"], stored["dev_starts"])
    facts = text["facts"]
    baselines = facts.pop("baselines")
    return Encoded(Vocabulary(text["tokens"]), train, dev, CorpusFacts.model_validate(facts), baselines)
