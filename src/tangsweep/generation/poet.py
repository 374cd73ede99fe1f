"""Composes poems with a trained model, many at a time."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tangsweep.corpora.vocabulary import BOS, EOS, Vocabulary
from tangsweep.generation.candidates import Drafts
from tangsweep.generation.constraints import Constraints, Wish
from tangsweep.generation.decoding import Decoding, choose, widen
from tangsweep.generation.poem import Poem
from tangsweep.generation.poem_start import Beginning
from tangsweep.language_model import LanguageModel
from tangsweep.prosody.form import Form
from tangsweep.prosody.prosody import Prosody
from tangsweep.randomness import derive

TOGETHER = 128  # poems under way at once; more where one beginning alone has more
Tell = Callable[[int], None]


class Poet:
    """The model has dropout off and stays on its device.

    Where the vocabulary lacks the punctuation marks (a model trained without them), they are printed
    but never shown to the model. `prosody` is needed where tones or rhymes are wished for; `shown` is how
    many alternatives each character keeps.
    """

    def __init__(
        self, model: LanguageModel, vocabulary: Vocabulary, prosody: Prosody | None = None, shown: int = 0
    ) -> None:
        self.model, self.vocabulary, self.prosody, self.shown = model.eval(), vocabulary, prosody, shown
        self.device = next(model.parameters()).device

    def compose(
        self,
        wish: Wish,
        beginnings: Sequence[Beginning],
        decoding: Decoding,
        seed: int,
        samples: int = 1,
        tell: Tell = lambda done: None,
    ) -> list[list[Poem]]:
        """`samples` poems for each beginning, those that the model finds likeliest first.

        Each poem has its own random numbers, from (seed, form, beginning, number): it does not change with
        its neighbours. A beam finds as many as it is wide.
        `tell` hears how many poems are done. Raises UserError, before the first is begun, where one of them
        cannot keep what is wished for.
        """
        constraints = Constraints(self.vocabulary, wish, self.prosody)
        for beginning in beginnings:
            constraints.check(beginning.ids)
        each = max(samples, decoding.beam or 1)
        size = max(1, TOGETHER // each)  # beginnings at once
        found: list[list[Poem]] = []
        for first in range(0, len(beginnings), size):
            rows = [beginning for beginning in beginnings[first : first + size] for _ in range(each)]
            drafts = self._drafts(constraints, rows, decoding, each)
            self._write(constraints, rows, drafts, decoding, seed, each)
            poems = self._poems(constraints, rows, drafts)
            for place in range(0, len(rows), each):
                group = sorted(poems[place : place + each], key=lambda poem: poem.nats)[:samples]
                found.append([poem for poem in group if math.isfinite(poem.nats)])
            tell(len(found))
        return found

    def _drafts(
        self, constraints: Constraints, rows: Sequence[Beginning], decoding: Decoding, each: int
    ) -> Drafts:
        """A beam begins with one row of each group: the others, equal to it, are none yet."""
        nats = torch.zeros(len(rows), dtype=torch.float64)
        if decoding.beam:
            nats[torch.arange(len(rows)) % each > 0] = math.inf
        return Drafts(
            self.model, constraints.begin([row.ids for row in rows]), nats.to(self.device), self.shown
        )

    @torch.no_grad()
    def _write(
        self,
        constraints: Constraints,
        rows: Sequence[Beginning],
        drafts: Drafts,
        decoding: Decoding,
        seed: int,
        each: int,
    ) -> None:
        """From <bos> to <eos>, whatever the model would rather write where the form wants a mark."""
        form = constraints.form
        uniform = self._uniform(form, rows, seed, each)
        for id in (BOS, *constraints.wish.prompt):
            drafts.read(id)
        for position in range(form.positions):
            allowed = drafts.possible.allowed(position).to(self.device)
            if decoding.beam:
                parents, ids = widen(drafts.nats, drafts.logs, allowed, each)
                drafts.rows(parents)
                allowed = allowed[parents]
            else:
                ids = choose(drafts.logs, allowed, uniform[:, position], decoding)
            drafts.write(position, ids, allowed)
            line, column = form.place(position)
            if column == form.chars - 1 and form.mark(line) in self.vocabulary:
                drafts.mark(self.vocabulary.encode(form.mark(line))[0])
        drafts.end(EOS)

    def _uniform(self, form: Form, rows: Sequence[Beginning], seed: int, each: int) -> Tensor:
        """(rows, positions) in [0, 1): one number decides each character."""
        drawn = []
        for place, row in enumerate(rows):
            generator = torch.Generator().manual_seed(derive(seed, "poem", *form, row.name, place % each))
            drawn.append(torch.rand(form.positions, generator=generator))
        return torch.stack(drawn).to(self.device)

    def _poems(self, constraints: Constraints, rows: Sequence[Beginning], drafts: Drafts) -> list[Poem]:
        poems = []
        tokens, nats = self.vocabulary.tokens, drafts.nats.tolist()
        for place, characters in enumerate(drafts.characters(tokens)):
            pattern, rhyme = drafts.possible.found(place) if math.isfinite(nats[place]) else ("", "")
            poems.append(
                Poem(
                    rows[place].name,
                    constraints.form,
                    tuple(characters),
                    nats[place],
                    drafts.scored,
                    pattern,
                    rhyme,
                )
            )
        return poems
