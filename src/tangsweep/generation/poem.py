"""Poems of a form: every line has its number of characters by construction, whatever the model says."""

import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tangsweep.corpora.script import to_traditional
from tangsweep.corpora.vocabulary import BOS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.noise import gumbel
from tangsweep.language_model import LanguageModel
from tangsweep.randomness import derive


class Form(NamedTuple):
    """`lines` lines of `chars` characters; ， closes a couplet's first line, 。 its second."""

    chars: int
    lines: int

    def mark(self, line: int) -> str:
        """The punctuation after line `line`, counted from 0; a poem always ends with 。"""
        return "。" if line % 2 or line == self.lines - 1 else "，"


class Poet:
    """Composes with a trained model; the model has dropout off and stays on its device.

    Where the vocabulary lacks the punctuation marks (a model trained without them), they are printed
    but never shown to the model.
    """

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary) -> None:
        self.model, self.vocabulary = model.eval(), vocabulary
        device = next(model.parameters()).device
        writable = [len(t) == 1 and unicodedata.category(t) == "Lo" for t in vocabulary.tokens]
        self._barred = ~torch.tensor(writable, device=device)

    def compose(self, form: Form, starts: Sequence[str], temperature: float, seed: int) -> list[list[str]]:
        """One poem a start, each a list of lines with punctuation; temperature 0 is greedy.

        Each poem has its own random numbers, from (seed, form, start): it does not change with its
        neighbours. Raises UserError for a start that is unknown or longer than a line.
        """
        forced = [self.accepted(start, form) for start in starts]
        noise = [self._noise(form, start, seed) for start in forced]
        return self._compose(form, forced, noise, temperature)

    def accepted(self, start: str, form: Form) -> str:
        """`start` as the model knows it, in traditional characters."""
        text = to_traditional(start, self.vocabulary)
        unknown = [c for c in text if c not in self.vocabulary]
        if unknown:
            raise UserError(
                f"{'、'.join(unknown)} does not occur in the text that this model was trained on: "
                "choose another start"
            )
        marks = [c for c in text if self._barred[self.vocabulary.encode(c)[0]]]
        if marks:
            raise UserError(f"{'、'.join(marks)} is no character of a line: the form sets the marks itself")
        if len(text) > form.chars:
            raise UserError(f"the start {start} is longer than a line of {form.chars} characters: shorten it")
        return text

    def _noise(self, form: Form, start: str, seed: int) -> Tensor:
        """(chars · lines, V) for every position of a poem."""
        generator = torch.Generator().manual_seed(derive(seed, "poem", *form, start))
        return gumbel(generator, form.chars * form.lines, len(self.vocabulary))

    @torch.no_grad()
    def _compose(
        self, form: Form, forced: list[str], noise: list[Tensor], temperature: float
    ) -> list[list[str]]:
        poems: list[list[str]] = [[] for _ in forced]
        logits, carry = self._show([BOS] * len(forced), None)
        for line in range(form.lines):
            texts = [""] * len(forced)
            for column in range(form.chars):
                position = line * form.chars + column
                chosen = self._choose(logits, torch.stack([n[position] for n in noise]), temperature)
                for row, start in enumerate(forced):
                    if position < len(start):
                        chosen[row] = self.vocabulary.encode(start[position])[0]
                    texts[row] += self.vocabulary.tokens[chosen[row]]
                logits, carry = self._show(chosen, carry)
            mark = form.mark(line)
            if mark in self.vocabulary:
                logits, carry = self._show(self.vocabulary.encode(mark) * len(forced), carry)
            for poem, text in zip(poems, texts, strict=True):
                poem.append(text + mark)
        return poems

    def _show(self, ids: list[int], carry: Any) -> tuple[Tensor, Any]:
        """The model reads one id a poem: logits (poems, V) of what follows, and its state."""
        column = torch.tensor(ids, device=self._barred.device)[:, None]
        logits, carry = self.model(column, None, carry)
        return logits[:, -1], carry

    def _choose(self, logits: Tensor, noise: Tensor, temperature: float) -> list[int]:
        scores = logits.masked_fill(self._barred, float("-inf"))
        if temperature > 0:
            scores = scores / temperature + noise.to(scores.device)
        return scores.argmax(-1).tolist()


def printed(poem: Sequence[str]) -> str:
    """A couplet a line, as the corpus prints poems."""
    return "\n".join("".join(poem[i : i + 2]) for i in range(0, len(poem), 2))
