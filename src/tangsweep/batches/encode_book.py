"""A book in, its ids out: the head trains, the tail is held out."""

import math
from collections.abc import Sequence

import numpy as np

from tangsweep import baselines
from tangsweep.batches.encoded import Encoded, Sequences, cached, fingerprint, oov
from tangsweep.corpora import vocabulary
from tangsweep.corpora.book import Book
from tangsweep.corpora.vocabulary import UNKNOWN
from tangsweep.errors import UserError
from tangsweep.runs.record import CorpusFacts


def encode(book: Book, seq_len: int, dev_fraction: float, min_freq: int) -> Encoded:
    """The last `dev_fraction` of the characters (rounded up) held out, the vocabulary from the rest.

    Raises UserError where training part or held-out part is shorter than one window.
    """
    held_out = math.ceil(len(book.text) * dev_fraction)
    parts = [book.text[:-held_out], book.text[-held_out:]]
    for part, name, least in ((parts[0], "training", seq_len + 1), (parts[1], "held-out", 2)):
        if len(part) < least:
            raise UserError(
                f"{book.source} is too short: its {name} part has {len(part)} characters and needs "
                f"{least}; lower data.seq_len, or name a longer text"
            )
    described = ["book", book.fingerprint, dev_fraction, min_freq]
    return cached(described, lambda: _encode(parts, min_freq))


def _encode(parts: Sequence[str], min_freq: int) -> Encoded:
    known = vocabulary.build([parts[0]], min_freq, marks=[UNKNOWN])
    train, dev = (
        Sequences(np.array(known.encode(part), dtype=np.int32), np.array([0, len(part)])) for part in parts
    )
    facts = {
        "characters": {"train": len(train.targets), "dev": len(dev.targets)},
        "vocabulary": len(known),
        "oov": {"train": oov(train, [parts[0]], known), "dev": oov(dev, [parts[1]], known)},
        "vocabulary_fingerprint": known.fingerprint,
        "dev_fingerprint": fingerprint(*dev),
        "split_fingerprint": fingerprint(*train, *dev),
    }
    perplexities = baselines.baseline_perplexities(train, dev, len(known))
    return Encoded(known, train, dev, CorpusFacts.model_validate(facts), perplexities)
