"""A generated poem with its cost under the model, and poems that are not finished yet."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tangsweep.generation.constraints import FeasibleCompletions
from tangsweep.generation.decoding import NEGATIVE_INFINITY, log_probabilities
from tangsweep.language_model import Carry, LanguageModel
from tangsweep.prosody.form import Form


class Character(NamedTuple):
    """One character of a poem, and what else could have stood there, likeliest first."""

    text: str
    probability: float  # the model's, given all that stands before
    alternatives: tuple[tuple[str, float], ...] = ()  # (character, probability)


class GeneratedPoem(NamedTuple):
    """A poem with its cost under the model."""

    start: str
    form: Form
    characters: tuple[Character, ...]  # without punctuation
    nats: float  # of all characters, marks and the poem's end, as a run's perplexity counts them
    scored: int  # how many those are
    pattern: str = ""  # name of a tone pattern that the poem follows
    rhyme: str = ""  # a character of the group in which it rhymes

    @property
    def perplexity(self) -> float:
        """Return exp(nats / scored), the model's perplexity on this poem alone."""
        return math.exp(min(self.nats / self.scored, 700.0))  # exp(710) overflows

    @property
    def bare_lines(self) -> list[str]:
        """Return the lines without punctuation."""
        return self.form.split("".join(character.text for character in self.characters))

    @property
    def lines(self) -> list[str]:
        """Return the lines, each with its punctuation."""
        return [text + self.form.punctuation_after(line) for line, text in enumerate(self.bare_lines)]

    @property
    def text(self) -> str:
        """Return the poem with one couplet on each line, as the corpus prints poems."""
        lines = self.lines
        return "\n".join("".join(lines[i : i + 2]) for i in range(0, len(lines), 2))


class ChosenCharacters(NamedTuple):
    """The characters at one position of R rows, and the K likeliest that could have stood there.

    `parents` are the rows of the previous position that these rows continue; None if each continues itself.
    """

    parents: Tensor | None  # (R)
    ids: Tensor  # (R)
    log_probs: Tensor  # (R)
    alternative_ids: Tensor  # (R, K); may include the chosen id itself
    alternative_log_probs: Tensor  # (R, K)


class PoemCandidates:
    """R unfinished poems.

    `log_probs` (R, V) are the model's for what comes next, `nats` (R) the cost so far. Each character keeps
    at most `max_alternatives` alternatives.
    """

    def __init__(
        self, model: LanguageModel, feasible: FeasibleCompletions, nats: Tensor, max_alternatives: int
    ) -> None:
        self.model, self.feasible, self.nats, self.max_alternatives = model, feasible, nats, max_alternatives
        self.scored = 0  # characters and marks that `nats` counts
        self.chosen: list[ChosenCharacters] = []
        self.log_probs = torch.empty(0)
        self._carry: Carry | None = None
        self._parents: Tensor | None = None

    def read_unscored(self, id: int) -> None:
        """Let the model read an id in every row without adding to the cost: <bos>, a prompt."""
        self._read(torch.full((len(self.nats),), id, device=self.nats.device))

    def append_mark(self, id: int) -> None:
        """Append the same punctuation mark to every row."""
        self._add_cost(self.log_probs[:, id])
        self.read_unscored(id)

    def append_end(self, id: int) -> None:
        """Append the last mark to every row; the model does not read it."""
        self._add_cost(self.log_probs[:, id])

    def append_characters(self, position: int, ids: Tensor, allowed: Tensor) -> None:
        """Append `ids` (R), which were chosen among those `allowed` (R, V), at `position`."""
        log_probs = self.log_probs.gather(-1, ids[:, None])[:, 0]
        alternative_ids, alternative_log_probs = ids.new_empty(len(ids), 0), log_probs.new_empty(len(ids), 0)
        if self.max_alternatives:
            width = min(
                self.max_alternatives + 1, self.log_probs.shape[-1]
            )  # the chosen id may be among them
            masked = self.log_probs.masked_fill(~allowed, NEGATIVE_INFINITY)
            alternative_log_probs, alternative_ids = masked.topk(width)
        self.chosen.append(
            ChosenCharacters(self._parents, ids, log_probs, alternative_ids, alternative_log_probs)
        )
        self._parents = None
        self._add_cost(log_probs)
        self.feasible.append(position, ids.cpu())
        self._read(ids)

    def select_rows(self, parents: Tensor) -> None:
        """Replace the rows by those at the indices `parents`, which may repeat."""
        self.feasible = self.feasible.select_rows(parents.cpu())
        self.nats, self.log_probs = self.nats[parents], self.log_probs[parents]
        self._parents = parents
        if self._carry is not None:
            states = [type(state)(*(tensor[parents] for tensor in state)) for state in self._carry.states]
            self._carry = Carry(states, self._carry.steps)

    def characters(self, tokens: tuple[str, ...]) -> list[list[Character]]:
        """Return the characters of each row. A character is not among its own alternatives."""
        columns, rows = [], torch.arange(len(self.nats), device=self.nats.device)
        for step in reversed(self.chosen):
            columns.append(_characters_at(step, rows, tokens, self.max_alternatives))
            rows = rows if step.parents is None else step.parents[rows]
        return [list(row) for row in zip(*reversed(columns), strict=True)]

    def _add_cost(self, log_probs: Tensor) -> None:
        self.nats = self.nats - log_probs.double()
        self.scored += 1

    def _read(self, ids: Tensor) -> None:
        logits, self._carry = self.model(ids[:, None], None, self._carry)
        self.log_probs = log_probabilities(logits[:, -1])


def _characters_at(
    step: ChosenCharacters, rows: Tensor, tokens: tuple[str, ...], max_alternatives: int
) -> list[Character]:
    """Return the characters that the row indices `rows` have at one position."""
    columns = (
        column[rows].tolist()
        for column in (step.ids, step.log_probs, step.alternative_ids, step.alternative_log_probs)
    )
    return [
        Character(
            tokens[id],
            math.exp(log_prob),
            tuple(
                (tokens[other], math.exp(other_log_prob))
                for other, other_log_prob in zip(others, other_log_probs, strict=True)
                if other != id and other_log_prob > NEGATIVE_INFINITY
            )[:max_alternatives],
        )
        for id, log_prob, others, other_log_probs in zip(*columns, strict=True)
    ]
