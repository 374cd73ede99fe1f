"""Find held-out texts that training nearly holds: those that share half of their 7-grams with it."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GRAM = 7  # characters: one line of a poem of seven characters a line
SHARE = 0.5
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: hashes of 64 bits, in which a collision is unlikely

Hashes = NDArray[np.uint64]


def near_duplicates(held_out: Sequence[str], training: Sequence[str]) -> set[int]:
    """Return the numbers of the `held_out` texts of whose 7-grams at least half occur in `training`.

    Punctuation and spaces do not count. A text of fewer than seven characters is never near.
    """
    training_grams, _ = _grams(training)
    grams, texts = _grams(held_out)
    if not len(grams):
        return set()
    shared = np.bincount(texts, weights=np.isin(grams, training_grams), minlength=len(held_out))
    total = np.bincount(texts, minlength=len(held_out))
    return {int(number) for number in np.flatnonzero((total > 0) & (shared >= SHARE * total))}


def _grams(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the hashes of all 7-grams, and the number of the text of each."""
    letters = [letters_of(text) for text in texts]
    lengths = np.array([len(text) for text in letters], dtype=np.int64)
    codes = np.frombuffer("".join(letters).encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    if len(codes) < GRAM:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
    hashes = np.zeros(len(codes) - GRAM + 1, dtype=np.uint64)
    for place in range(GRAM):
        hashes = (hashes + codes[place : place + len(hashes)]) * MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
    text = np.repeat(np.arange(len(letters)), lengths)
    inside = text[: len(hashes)] == text[GRAM - 1 :]  # no 7-gram reaches over the end of a text
    return hashes[inside], text[: len(hashes)][inside]


def letters_of(text: str) -> str:
    """Return the text without punctuation, symbols and spaces."""
    return "".join(character for character in text if unicodedata.category(character)[0] not in "PSZC")
