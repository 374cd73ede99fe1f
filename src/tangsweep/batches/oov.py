"""Train `<oov>` on characters that occur once: `data.oov=singletons`."""

import numpy as np

from tangsweep.batches.encoded_text import EncodedSequences, EncodedText
from tangsweep.corpora.vocabulary import SPECIAL_TOKENS
from tangsweep.randomness import derive_seed

PROBABILITY = 0.5


class SingletonReplacement:
    """Reads half of the characters that occur once in training as `<oov>`, other ones in each epoch.

    Without it `<oov>` is never a target: its logit only falls, and a perplexity over held-out text is mostly
    what its unknown characters cost (Dyer et al. 2015, "Transition-based dependency parsing with stack
    long short-term memory", section 2.2, train the unknown word in this way). Evaluation replaces nothing.
    """

    def __init__(self, encoded: EncodedText, seed: int) -> None:
        self._train, self._oov, self._seed = encoded.train, encoded.vocabulary.oov, seed
        counts = np.bincount(encoded.train.ids, minlength=len(encoded.vocabulary))
        special = [id for id, token in enumerate(encoded.tokens) if token in SPECIAL_TOKENS]
        counts[special] = 0
        self.positions = np.flatnonzero(counts[encoded.train.ids] == 1)

    def replace(self, epoch: int) -> EncodedSequences:
        """Return the training sequences of an epoch, counted from 0: a function of (seed, epoch) alone."""
        random = np.random.default_rng(derive_seed(self._seed, "oov", epoch))
        chosen = self.positions[random.random(len(self.positions)) < PROBABILITY]
        ids = self._train.ids.copy()
        ids[chosen] = self._oov
        return self._train._replace(ids=ids)
