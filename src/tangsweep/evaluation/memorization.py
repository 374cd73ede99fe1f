"""Measures how much of a text is copied from the training text."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tangsweep.batches.encoded_text import EncodedSequences
from tangsweep.corpora.vocabulary import BOS, EOS, SPECIAL_TOKENS, Vocabulary
from tangsweep.prosody.form import LINE_END

Ids = Sequence[int] | np.ndarray
SEPARATOR = -1  # between texts, so that no run extends over the end of one


class TrainingText(NamedTuple):
    """The training text without marks and punctuation.

    An unknown character stays in its place, so that characters on both sides of it do not become neighbours.
    """

    texts: list[np.ndarray]  # ids, one array for each sequence
    lines: frozenset[str]

    @classmethod
    def from_sequences(cls, training: EncodedSequences, vocabulary: Vocabulary) -> "TrainingText":
        marks = (SPECIAL_TOKENS[BOS], SPECIAL_TOKENS[EOS])
        is_text = np.array(
            [token not in marks and not LINE_END.fullmatch(token) for token in vocabulary.tokens]
        )
        sequences = np.split(training.ids, training.starts[1:-1])
        decoded = (vocabulary.decode(ids[1:].tolist()) for ids in sequences)
        lines = frozenset(line for text in decoded for line in LINE_END.split(text))
        return cls([ids[is_text[ids]] for ids in sequences], lines)


def longest_copies(texts: Sequence[Ids], training: Sequence[Ids]) -> list[np.ndarray]:
    """For each position of each text, return how many ids from there on occur in a row in a training text.

    Ids are not negative. The result is exact and the time proportional to what is copied: runs of n + 1 ids
    are searched for only where runs of n were found. A run is identified by the number of its first n ids and
    by its last id.
    """
    ids, training_ids = _concatenate(texts), _concatenate(training)
    base = int(max(ids.max(), training_ids.max())) + 1
    copied = np.zeros(len(ids), dtype=np.int64)
    starts, training_starts = np.arange(len(ids)), np.arange(len(training_ids))
    runs, training_runs = np.zeros_like(starts), np.zeros_like(training_starts)
    length = 0
    while len(starts):
        starts, runs = _extend_runs(starts, runs, ids, length, base)
        training_starts, training_runs = _extend_runs(
            training_starts, training_runs, training_ids, length, base
        )
        distinct, runs = np.unique(runs, return_inverse=True)
        places = np.searchsorted(distinct, training_runs)
        in_texts = np.append(distinct, SEPARATOR)[places] == training_runs
        training_starts, training_runs = training_starts[in_texts], places[in_texts]
        in_training = np.zeros(len(distinct), dtype=bool)
        in_training[training_runs] = True
        starts, runs = starts[in_training[runs]], runs[in_training[runs]]
        length += 1
        copied[starts] = length
    ends = np.cumsum([len(text) + 1 for text in texts])
    return [copied[end - 1 - len(text) : end - 1] for end, text in zip(ends, texts, strict=True)]


def _concatenate(texts: Sequence[Ids]) -> np.ndarray:
    """Return all ids with SEPARATOR after each text."""
    arrays = [array for text in texts for array in (np.asarray(text, dtype=np.int64), [SEPARATOR])]
    return np.concatenate([*arrays, [SEPARATOR]]).astype(np.int64)


def _extend_runs(
    starts: np.ndarray, runs: np.ndarray, ids: np.ndarray, length: int, base: int
) -> tuple[np.ndarray, np.ndarray]:
    """Extend runs of `length` by one id; return the starts and numbers of those that do not end before it."""
    following = ids[np.minimum(starts + length, len(ids) - 1)]
    continues = following != SEPARATOR
    return starts[continues], runs[continues] * base + following[continues]
