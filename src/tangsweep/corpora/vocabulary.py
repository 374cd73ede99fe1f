"""The vocabulary: special tokens and the characters of the training text, counted by fastNLP.

fastNLP's quirks are confined to this module. It takes seconds to import, so it is imported only to build a
vocabulary. It prints, sets environment variables, and fails on an empty text, which callers have dropped.
"""

import contextlib
import hashlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence

from tangsweep.errors import UserError

PAD, OOV, BOS, EOS = range(4)  # ids of poems' special tokens
SPECIAL_TOKENS = ("<pad>", "<oov>", "<bos>", "<eos>")  # of poems
OOV_TOKEN = SPECIAL_TOKENS[OOV]


class Vocabulary:
    """A mapping between tokens and ids.

    The special tokens come first: for poems SPECIAL_TOKENS with ids 0 to 3, for books OOV_TOKEN alone.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        self._ids = {token: id for id, token in enumerate(self.tokens)}

    @property
    def oov(self) -> int:
        """The id of characters that are not in the vocabulary."""
        return self._ids[OOV_TOKEN]

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def encode(self, text: str) -> list[int]:
        """Return an id for each character, `oov` for those that are not in the vocabulary."""
        ids, oov = self._ids, self.oov
        return [ids.get(character, oov) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.tokens[id] for id in ids)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of a hash of the tokens in order."""
        return hashlib.sha256("\x1f".join(self.tokens).encode()).hexdigest()[:12]


def build_vocabulary(
    texts: Sequence[str], min_freq: int, special_tokens: Sequence[str] = SPECIAL_TOKENS
) -> Vocabulary:
    """Return `special_tokens` and the characters that occur `min_freq` times in `texts`, by frequency.

    No text may be empty. Raises UserError if no character is frequent enough.
    """
    with _silenced():
        from fastNLP import DataSet
        from fastNLP import Vocabulary as FastVocabulary

        counted = FastVocabulary(min_freq=min_freq, padding=None, unknown=None)
        counted.from_dataset(DataSet({"characters": [list(text) for text in texts]}), field_name="characters")
        characters = [counted.to_word(id) for id in range(len(counted))]
    if not characters:
        raise UserError(f"no character occurs data.min_freq={min_freq} times: lower it")
    return Vocabulary([*special_tokens, *characters])


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Suppress output and warnings, and restore the environment afterwards."""
    environment = dict(os.environ)
    stdout, stderr = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with warnings.catch_warnings(), stdout, stderr:
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(environment)
