"""Writes running text with a trained model, character by character."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tangsweep.corpora.vocabulary import BOS, SPECIAL_TOKENS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.decoding import Decoding, choose_ids, log_probabilities
from tangsweep.language_model import Carry, LanguageModel
from tangsweep.randomness import derive_seed


class TextWriter:
    """Continues texts with a trained model. Marks such as `<oov>` are never written."""

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary) -> None:
        self.model, self.vocabulary = model, vocabulary
        self._device = next(model.parameters()).device
        self._allowed = torch.tensor(
            [token not in SPECIAL_TOKENS for token in vocabulary.tokens], device=self._device
        )

    def replace_unknown(self, text: str, replacement: str | None = None) -> str:
        """Return `text` with `replacement` for each character that the model does not know.

        Raises UserError, which names these characters, without a replacement or if that is unknown too.
        """
        unknown = sorted({c for c in text if c not in self.vocabulary})
        if replacement is None and unknown:
            raise UserError(
                f"{' '.join(map(repr, unknown))} does not occur in the text that this model was trained on: "
                "write it otherwise, or name a replacement with --replace-unknown"
            )
        replaced = "".join(c if c in self.vocabulary else (replacement or "") for c in text)
        still_unknown = [c for c in replaced if c not in self.vocabulary]
        if still_unknown:
            raise UserError(
                f"--replace-unknown {still_unknown[0]!r} is unknown to this model as well: name another"
            )
        return replaced

    @torch.no_grad()
    def write(
        self, starts: Sequence[str], length: int, decodings: Sequence[Decoding], seed: int
    ) -> list[str]:
        """Continue each start by `length` characters, from the initial state, with its own decoding.

        Starts consist of known characters, at least one each, and all have the same length. Each text has its
        own random numbers, derived from (seed, start, temperature). Beam search is not supported. The model's
        dropout is off meanwhile.
        """
        was_training = self.model.training
        self.model.eval()
        texts = self._write(starts, length, decodings, seed)
        self.model.train(was_training)
        return texts

    def _write(
        self, starts: Sequence[str], length: int, decodings: Sequence[Decoding], seed: int
    ) -> list[str]:
        # A model of poems reads <bos> before the first character; a model of a book has no such mark.
        first = (
            [self.vocabulary.tokens.index(SPECIAL_TOKENS[BOS])]
            if SPECIAL_TOKENS[BOS] in self.vocabulary
            else []
        )
        ids = [[*first, *self.vocabulary.encode(start)] for start in starts]
        logits, carry = self.model(torch.tensor(ids, device=self._device))
        uniform = [
            self._uniform(start, length, decoding, seed)
            for start, decoding in zip(starts, decodings, strict=True)
        ]
        texts = list(starts)
        for step in range(length):
            next_ids = self._choose_ids(logits[:, -1], decodings, [draws[step] for draws in uniform])
            texts = [text + self.vocabulary.tokens[id] for text, id in zip(texts, next_ids, strict=True)]
            if step + 1 < length:
                logits, carry = self._read(next_ids, carry)
        return texts

    def _uniform(self, start: str, length: int, decoding: Decoding, seed: int) -> Tensor:
        """Return (length) in [0, 1): the number that decides each character."""
        text_seed = derive_seed(seed, "text", start, str(decoding.temperature))
        generator = torch.Generator().manual_seed(text_seed)
        return torch.rand(length, generator=generator).to(self._device)

    def _read(self, ids: Sequence[int], carry: Carry) -> tuple[Tensor, Carry]:
        logits, next_carry = self.model(torch.tensor(ids, device=self._device)[:, None], None, carry)
        return logits, next_carry

    def _choose_ids(
        self, logits: Tensor, decodings: Sequence[Decoding], uniform: Sequence[Tensor]
    ) -> list[int]:
        """Choose one id for each row, with the row's own decoding."""
        log_probs, allowed = log_probabilities(logits), self._allowed[None]
        return [
            int(choose_ids(log_probs[[row]], allowed, draw[None], decoding))
            for row, (decoding, draw) in enumerate(zip(decodings, uniform, strict=True))
        ]
