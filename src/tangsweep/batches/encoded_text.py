"""Encoded texts: arrays of ids, the documents that they are parts of, and facts for records."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.runs.record import CorpusFacts


class EncodedSequences(NamedTuple):
    """Sequences of ids, one after another: the i-th is `ids[starts[i]:starts[i + 1]]`.

    A whole poem reads `<bos> … <eos>`. A chunk that is not its poem's last has no `<eos>`. A book is one
    sequence without special tokens. The inputs of a sequence are all its ids but the last, its targets all
    but the first.
    """

    ids: NDArray[np.int32]  # (total,)
    starts: NDArray[np.int64]  # (sequences + 1,)

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    @property
    def targets(self) -> NDArray[np.int32]:
        """All scored ids in order: all but the first of each sequence."""
        scored = np.ones(len(self.ids), dtype=bool)
        scored[self.starts[:-1]] = False
        return self.ids[scored]


class Documents(NamedTuple):
    """The D documents of a set that is scored, such as poems: their scores are kept apart."""

    names: list[str]  # D ids, as the corpus has them
    authors: list[str]  # D poets
    of_sequence: NDArray[np.int32]  # (sequences,) the number of the document that each is a part of


class EncodedCorpus(Protocol):
    """The encoded sets of a run, with facts and baselines for its record."""

    @property
    def tokens(self) -> Sequence[str]: ...  # what the model predicts, by id
    @property
    def inputs(self) -> int: ...  # how many ids the model reads, or how wide its vectors are
    @property
    def facts(self) -> CorpusFacts: ...  # for the record
    @property
    def baselines(self) -> dict[str, float | None]: ...  # perplexities that need no training
    @property
    def documents(self) -> Mapping[str, Documents]: ...  # by set; empty where examples are drawn


class EncodedText(NamedTuple):
    """The text that a run trains and is scored on."""

    vocabulary: Vocabulary
    train: EncodedSequences
    dev: EncodedSequences
    test: EncodedSequences | None
    facts: CorpusFacts  # counts of characters, out-of-vocabulary characters, fingerprints
    baselines: dict[str, float | None]  # perplexities that need no training
    documents: dict[str, Documents]  # of poems: `dev`, and `test` where there is one

    @property
    def tokens(self) -> tuple[str, ...]:
        """The characters and special tokens, in the order of their ids."""
        return self.vocabulary.tokens

    @property
    def inputs(self) -> int:
        """The number of different ids that the model can read: the size of the vocabulary."""
        return len(self.vocabulary)
