"""Poems in, arrays of ids out."""

from collections.abc import Sequence

import numpy as np

from tangsweep import baselines
from tangsweep.batches.encoded import Encoded, Sequences, cached, fingerprint, oov
from tangsweep.batches.split import Piece, Split, pieces, split
from tangsweep.config.data_options import PoemSplitOptions
from tangsweep.corpora import vocabulary
from tangsweep.corpora.tang import Corpus
from tangsweep.corpora.vocabulary import BOS, EOS, Vocabulary
from tangsweep.runs.record import CorpusFacts


def encode(corpus: Corpus, settings: PoemSplitOptions) -> Encoded:
    """The poems kept, split, cut and encoded. Raises UserError as `split` does."""
    described = [corpus.fingerprint, settings.model_dump(include=set(PoemSplitOptions.model_fields))]
    return cached(described, lambda: _encode(split(corpus.poems, settings), settings))


def _encode(parts: Split, settings: PoemSplitOptions) -> Encoded:
    known = vocabulary.build(["".join(poem) for poem in parts.pool], settings.min_freq)
    cut = {"train": _pieces(parts.train, settings), "dev": _pieces(parts.dev, settings)}
    train, dev = (_sequences(side, known) for side in cut.values())
    facts = {
        "poems": parts.counts | {"train": len(parts.train), "dev": len(parts.dev)},
        "sequences": {"train": len(train.lengths), "dev": len(dev.lengths)},
        "characters": {"train": len(train.targets), "dev": len(dev.targets)},
        "vocabulary": len(known),
        "oov": {
            "train": oov(train, (piece.text for piece in cut["train"]), known),
            "dev": oov(dev, (piece.text for piece in cut["dev"]), known),
        },
        "vocabulary_fingerprint": known.fingerprint,
        "dev_fingerprint": fingerprint(*dev),
        "split_fingerprint": fingerprint(*train, *dev),
    }
    perplexities = baselines.baseline_perplexities(train, dev, len(known))
    return Encoded(known, train, dev, CorpusFacts.model_validate(facts), perplexities)


def _pieces(poems: Sequence[list[str]], settings: PoemSplitOptions) -> list[Piece]:
    return [piece for poem in poems for piece in pieces(poem, settings.max_chars, settings.long)]


def _sequences(cut: Sequence[Piece], known: Vocabulary) -> Sequences:
    rows = [[BOS, *known.encode(piece.text), *([EOS] if piece.last else [])] for piece in cut]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Sequences(np.concatenate(rows).astype(np.int32), starts)
