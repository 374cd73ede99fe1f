"""Running text from a trained model, character by character."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.decoding import Decoding, choose, log_probabilities
from tangsweep.language_model import Carry
from tangsweep.randomness import derive

BEGINNING = "<bos>"  # what a model of poems reads before the first character


class Writer:
    """Continues texts with a trained model; marks such as `<oov>` are never written.

    Model: anything with the `forward` of LanguageModel; while it writes, its dropout is off.
    """

    def __init__(self, model: Any, vocabulary: Vocabulary) -> None:
        self.model, self.vocabulary = model, vocabulary
        self._device = next(model.parameters()).device
        self._allowed = torch.tensor([token not in MARKS for token in vocabulary.tokens], device=self._device)

    def accepted(self, text: str, replacement: str | None = None) -> str:
        """`text` with every unknown character replaced. Raises UserError, naming them, without one."""
        unknown = sorted({c for c in text if c not in self.vocabulary})
        if replacement is None and unknown:
            raise UserError(
                f"{' '.join(map(repr, unknown))} does not occur in the text that this model was trained on: "
                "write it otherwise, or name a replacement with --replace-unknown"
            )
        known = "".join(c if c in self.vocabulary else (replacement or "") for c in text)
        lacking = [c for c in known if c not in self.vocabulary]
        if lacking:
            raise UserError(
                f"--replace-unknown {lacking[0]!r} is unknown to this model as well: name another"
            )
        return known

    @torch.no_grad()
    def write(
        self, starts: Sequence[str], length: int, decodings: Sequence[Decoding], seed: int
    ) -> list[str]:
        """`length` characters after each start, from the initial state, each text decoded in its own way.

        Starts are known characters, at least one each, and of one length; each text has its own random
        numbers, from (seed, start, temperature). A beam is not known here.
        """
        training = self.model.training
        self.model.eval()
        texts = self._write(starts, length, decodings, seed)
        self.model.train(training)
        return texts

    def _write(
        self, starts: Sequence[str], length: int, decodings: Sequence[Decoding], seed: int
    ) -> list[str]:
        first = [BEGINNING] if BEGINNING in self.vocabulary else []
        ids = [self.vocabulary.encode([*first, *start]) for start in starts]  # type: ignore[arg-type]
        logits, carry = self.model(torch.tensor(ids, device=self._device))
        uniform = [
            self._uniform(start, length, decoding, seed)
            for start, decoding in zip(starts, decodings, strict=True)
        ]
        written = list(starts)
        for step in range(length):
            chosen = self._choose(logits[:, -1], decodings, [draws[step] for draws in uniform])
            written = [text + self.vocabulary.tokens[i] for text, i in zip(written, chosen, strict=True)]
            if step + 1 < length:
                logits, carry = self._read(chosen, carry)
        return written

    def _uniform(self, start: str, length: int, decoding: Decoding, seed: int) -> Tensor:
        """(length) in [0, 1): one number decides each character."""
        generator = torch.Generator().manual_seed(derive(seed, "text", start, str(decoding.temperature)))
        return torch.rand(length, generator=generator).to(self._device)

    def _read(self, ids: Sequence[int], carry: Carry) -> tuple[Tensor, Carry]:
        return self.model(torch.tensor(ids, device=self._device)[:, None], None, carry)

    def _choose(self, logits: Tensor, decodings: Sequence[Decoding], uniform: Sequence[Tensor]) -> list[int]:
        """An id a row, each in its own way."""
        logs, allowed = log_probabilities(logits), self._allowed[None]
        return [
            int(choose(logs[[row]], allowed, draw[None], decoding))
            for row, (decoding, draw) in enumerate(zip(decodings, uniform, strict=True))
        ]
