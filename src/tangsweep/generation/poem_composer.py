"""Composes poems with a trained model, many at a time."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tangsweep.corpora.vocabulary import BOS, EOS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.constraints import Constraints, PoemSpec
from tangsweep.generation.decoding import Decoding, choose_ids, extend_beams
from tangsweep.generation.infeasible import explain_infeasible
from tangsweep.generation.poem import GeneratedPoem, PoemCandidates
from tangsweep.generation.poem_start import PoemStart
from tangsweep.language_model import LanguageModel
from tangsweep.prosody.form import Form
from tangsweep.prosody.protocol import Prosody
from tangsweep.randomness import derive_seed

MAX_ROWS = 128  # poems written at once; more only if one start alone has more samples


class PoemComposer:
    """Composes poems with `model`, which is put into evaluation mode and stays on its device.

    If the vocabulary lacks punctuation marks (a model trained without them), they are printed but the model
    does not read them. `prosody` is needed for specifications with tones or rhymes. Each character of a poem
    keeps at most `max_alternatives` alternatives.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Vocabulary,
        prosody: Prosody | None = None,
        max_alternatives: int = 0,
    ) -> None:
        self.model, self.vocabulary, self.prosody = model.eval(), vocabulary, prosody
        self.max_alternatives = max_alternatives
        self.device = next(model.parameters()).device

    def compose(
        self,
        spec: PoemSpec,
        starts: Sequence[PoemStart],
        decoding: Decoding,
        seed: int,
        samples: int = 1,
        report_progress: Callable[[int], None] = lambda done: None,
    ) -> list[list[GeneratedPoem]]:
        """Return `samples` poems for each start, the likeliest first; a narrow beam may find fewer.

        Each poem has its own random numbers, derived from (seed, form, start, number), so it does not depend
        on the other poems. `report_progress` receives the number of finished starts. Raises UserError before
        the first poem is begun if one of them cannot satisfy `spec`.
        """
        constraints = Constraints(self.vocabulary, spec, self.prosody)
        for start in starts:
            if not constraints.is_feasible(start.ids):
                raise UserError(explain_infeasible(constraints, start.ids))
        rows_per_start = max(samples, decoding.beam or 1)
        starts_at_once = max(1, MAX_ROWS // rows_per_start)
        groups: list[list[GeneratedPoem]] = []
        for first in range(0, len(starts), starts_at_once):
            rows = [start for start in starts[first : first + starts_at_once] for _ in range(rows_per_start)]
            candidates = self._start_candidates(constraints, rows, decoding, rows_per_start)
            self._write(constraints, rows, candidates, decoding, seed, rows_per_start)
            poems = self._finished_poems(constraints, rows, candidates)
            for place in range(0, len(rows), rows_per_start):
                ranked = sorted(poems[place : place + rows_per_start], key=lambda poem: poem.nats)[:samples]
                groups.append([poem for poem in ranked if math.isfinite(poem.nats)])
            report_progress(len(groups))
        return groups

    def _start_candidates(
        self, constraints: Constraints, rows: Sequence[PoemStart], decoding: Decoding, rows_per_start: int
    ) -> PoemCandidates:
        nats = torch.zeros(len(rows), dtype=torch.float64)
        if decoding.beam:  # a beam begins with one row: the others would be equal to it
            nats[torch.arange(len(rows)) % rows_per_start > 0] = math.inf
        feasible = constraints.start_poems([row.ids for row in rows])
        return PoemCandidates(self.model, feasible, nats.to(self.device), self.max_alternatives)

    @torch.no_grad()
    def _write(
        self,
        constraints: Constraints,
        rows: Sequence[PoemStart],
        candidates: PoemCandidates,
        decoding: Decoding,
        seed: int,
        rows_per_start: int,
    ) -> None:
        """Write the poems from <bos> to <eos>. The form alone decides where marks stand."""
        form = constraints.form
        uniform = self._uniform(form, rows, seed, rows_per_start)
        for id in (BOS, *constraints.spec.prompt):
            candidates.read_unscored(id)
        for position in range(form.positions):
            allowed = candidates.feasible.allowed_ids(position).to(self.device)
            if decoding.beam:
                parents, ids = extend_beams(candidates.nats, candidates.log_probs, allowed, rows_per_start)
                candidates.select_rows(parents)
                allowed = allowed[parents]
            else:
                ids = choose_ids(candidates.log_probs, allowed, uniform[:, position], decoding)
            candidates.append_characters(position, ids, allowed)
            line, column = form.line_and_column(position)
            if column == form.chars - 1 and form.punctuation_after(line) in self.vocabulary:
                candidates.append_mark(self.vocabulary.encode(form.punctuation_after(line))[0])
        candidates.append_end(EOS)

    def _uniform(self, form: Form, rows: Sequence[PoemStart], seed: int, rows_per_start: int) -> Tensor:
        """Return (rows, positions) in [0, 1): the number that decides each character."""
        draws = []
        for place, row in enumerate(rows):
            poem_seed = derive_seed(seed, "poem", *form, row.name, place % rows_per_start)
            generator = torch.Generator().manual_seed(poem_seed)
            draws.append(torch.rand(form.positions, generator=generator))
        return torch.stack(draws).to(self.device)

    def _finished_poems(
        self, constraints: Constraints, rows: Sequence[PoemStart], candidates: PoemCandidates
    ) -> list[GeneratedPoem]:
        poems = []
        nats = candidates.nats.tolist()
        for place, characters in enumerate(candidates.characters(self.vocabulary.tokens)):
            in_use = math.isfinite(nats[place])  # a row of a beam may have remained empty
            pattern, rhyme = candidates.feasible.pattern_and_rhyme(place) if in_use else ("", "")
            poems.append(
                GeneratedPoem(
                    rows[place].name,
                    constraints.form,
                    tuple(characters),
                    nats[place],
                    candidates.scored,
                    pattern,
                    rhyme,
                )
            )
        return poems
