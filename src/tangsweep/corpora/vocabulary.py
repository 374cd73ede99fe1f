"""The vocabulary: some marks and the characters of the training text, counted by fastNLP.

fastNLP's quirks stay here: it takes seconds to import (so it is imported only to build), talks,
sets environment variables, and fails on an empty text (which callers have dropped by then).
"""

import contextlib
import hashlib
import io
import os
import warnings
from collections.abc import Sequence

from tangsweep.errors import UserError

PAD, OOV, BOS, EOS = range(4)
MARKS = ("<pad>", "<oov>", "<bos>", "<eos>")  # of poems
UNKNOWN = MARKS[OOV]


class Vocabulary:
    """Token ↔ id; the marks come first: for poems MARKS with ids 0 to 3, for books UNKNOWN alone."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        self._ids = {token: position for position, token in enumerate(self.tokens)}

    @property
    def oov(self) -> int:
        """The id that unknown characters have."""
        return self._ids[UNKNOWN]

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def encode(self, text: str) -> list[int]:
        """One id a character, `oov` where it is unknown."""
        ids, oov = self._ids, self.oov
        return [ids.get(character, oov) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.tokens[i] for i in ids)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the tokens in order."""
        return hashlib.sha256("\x1f".join(self.tokens).encode()).hexdigest()[:12]


def build(texts: Sequence[str], min_freq: int, marks: Sequence[str] = MARKS) -> Vocabulary:
    """`marks`, then the characters that occur `min_freq` times in `texts` (none empty), by frequency.

    Raises UserError where no character does.
    """
    with _quiet():
        from fastNLP import DataSet
        from fastNLP import Vocabulary as FastVocabulary

        counted = FastVocabulary(min_freq=min_freq, padding=None, unknown=None)
        counted.from_dataset(DataSet({"characters": [list(text) for text in texts]}), field_name="characters")
        ordered = [counted.to_word(i) for i in range(len(counted))]
    if not ordered:
        raise UserError(f"no character occurs data.min_freq={min_freq} times: lower it")
    return Vocabulary([*marks, *ordered])


@contextlib.contextmanager
def _quiet():  # type: ignore[no-untyped-def]
    environment = dict(os.environ)
    silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with warnings.catch_warnings(), silent[0], silent[1]:
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(environment)
