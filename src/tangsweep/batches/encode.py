"""Poems in, arrays of ids out, with the facts about them that every record carries; cached by content."""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import filelock
import numpy as np

from tangsweep import baselines, places
from tangsweep.batches.split import Piece, PoemSettings, Split, pieces, split
from tangsweep.corpora import vocabulary
from tangsweep.corpora.tang import Corpus
from tangsweep.corpora.vocabulary import BOS, EOS, OOV, Vocabulary
from tangsweep.runs.folder import atomic_write

FORMAT = 3  # raise it whenever the same settings would give other arrays or facts


class Sequences(NamedTuple):
    """Sequences of ids end to end: the i-th is `ids[starts[i]:starts[i + 1]]`.

    A whole poem reads `<bos> … <eos>`; a chunk that its poem goes on after has no `<eos>`. The
    inputs of a sequence are all ids but its last, its targets all but its first.
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
    facts: dict[str, Any]  # counts of poems and characters, OOV, fingerprints, baselines


def encode(corpus: Corpus, settings: PoemSettings) -> Encoded:
    """The encoded corpus, from the cache where the same poems were encoded alike before.

    Two processes that come here at once wait for each other; a damaged cache file is built anew.
    """
    described = json.dumps([FORMAT, corpus.fingerprint, asdict(settings)], sort_keys=True)
    key = hashlib.sha256(described.encode()).hexdigest()[:16]
    path = places.data() / "cache" / f"{key}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        try:
            return _load(path.read_bytes())
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            encoded = _encode(split(corpus.poems, settings), settings)
            atomic_write(path, _dump(encoded))
            return encoded


def _encode(parts: Split, settings: PoemSettings) -> Encoded:
    known = vocabulary.build(["".join(poem) for poem in parts.pool], settings.min_freq)
    cut = {"train": _pieces(parts.train, settings), "dev": _pieces(parts.dev, settings)}
    train, dev = (_sequences(side, known) for side in cut.values())
    facts = {
        "poems": parts.counts | {"train": len(parts.train), "dev": len(parts.dev)},
        "sequences": {"train": len(train.lengths), "dev": len(dev.lengths)},
        "characters": {"train": len(train.targets), "dev": len(dev.targets)},
        "vocabulary": len(known),
        "oov": {
            "train": _oov(train, cut["train"], known),
            "dev": _oov(dev, cut["dev"], known),
        },
        "vocabulary_fingerprint": known.fingerprint,
        "dev_fingerprint": _fingerprint(dev),
        "split_fingerprint": _fingerprint(train, dev),
        "baselines": baselines.perplexities(train, dev, len(known)),
    }
    return Encoded(known, train, dev, facts)


def _pieces(poems: Sequence[list[str]], settings: PoemSettings) -> list[Piece]:
    return [piece for poem in poems for piece in pieces(poem, settings.max_chars, settings.long)]


def _sequences(cut: Sequence[Piece], known: Vocabulary) -> Sequences:
    rows = [[BOS, *known.encode(piece.text), *([EOS] if piece.last else [])] for piece in cut]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Sequences(np.concatenate(rows).astype(np.int32), starts)


def _oov(sequences: Sequences, cut: Sequence[Piece], known: Vocabulary) -> dict[str, Any]:
    """How many scored characters are `<oov>`, their share, and how many characters they stand for."""
    unknown = sequences.targets == OOV
    types = {character for piece in cut for character in piece.text}
    return {
        "positions": int(unknown.sum()),
        "rate": float(unknown.mean()),
        "unseen_types": sum(character not in known for character in types),
    }


def _fingerprint(*sides: Sequences) -> str:
    digest = hashlib.sha256()
    for sequences in sides:
        for array in sequences:
            digest.update(array.tobytes())
    return digest.hexdigest()[:12]


def _dump(encoded: Encoded) -> bytes:
    buffer = io.BytesIO()
    text = json.dumps({"tokens": encoded.vocabulary.tokens, "facts": encoded.facts})
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
    return Encoded(Vocabulary(text["tokens"]), train, dev, text["facts"])
