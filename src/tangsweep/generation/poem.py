"""A generated poem and how likely the model finds it."""

import math
from typing import NamedTuple

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
