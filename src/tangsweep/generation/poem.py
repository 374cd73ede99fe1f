"""A finished poem."""

import math
from typing import NamedTuple

from tangsweep.prosody.form import Form


class Character(NamedTuple):
    """One character of a poem, and what else could have stood there, likeliest first."""

    text: str
    probability: float  # the model's, after all that stands before
    alternatives: tuple[tuple[str, float], ...] = ()


class Poem(NamedTuple):
    """A poem with the model's own opinion of it."""

    start: str
    form: Form
    characters: tuple[Character, ...]  # without punctuation
    nats: float  # of every character and mark and of the poem's end, as perplexity counts them
    scored: int  # how many those are
    pattern: str = ""  # the tone pattern that it keeps
    rhyme: str = ""  # a character of the group in which it rhymes

    @property
    def perplexity(self) -> float:
        """exp(nats / scored): what the model's perplexity would be on this poem alone."""
        return math.exp(min(self.nats / self.scored, 700.0))

    @property
    def bare_lines(self) -> list[str]:
        """Without punctuation."""
        return self.form.split("".join(character.text for character in self.characters))

    @property
    def lines(self) -> list[str]:
        """Each with its punctuation."""
        return [text + self.form.mark(line) for line, text in enumerate(self.bare_lines)]

    @property
    def text(self) -> str:
        """A couplet a line, as the corpus prints poems."""
        lines = self.lines
        return "\n".join("".join(lines[i : i + 2]) for i in range(0, len(lines), 2))
