"""Which characters may stand where in a poem, so that every poem keeps what was asked of it.

A poem may follow any of some tone patterns and rhyme in any of the groups. `Open` holds, for each poem under
way, every pair of pattern and group that it can still be finished with: a character is allowed where it
keeps at least one pair open. Positions depend on each other through the pair alone, and through rhymes that
may not repeat a character, of which a group must have enough: so no choice ever ends in a dead end.
"""

import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.infeasible import reason
from tangsweep.prosody.form import Form, described
from tangsweep.prosody.pattern import EITHER, FREE, LEVEL, OBLIQUE, Pattern, free, regulated
from tangsweep.prosody.prosody import Prosody

NOWHERE = -1  # the group of a character without rhyme


class Wish(NamedTuple):
    """What every poem of a request is to keep."""

    form: Form
    tones: str | None = None  # any, pingqi or zeqi; None: tones are free
    rhyme: str | None = None  # a character in whose group even lines rhyme, "" for any; None: no rhymes
    prompt: tuple[int, ...] = ()  # ids that the model reads before the poem, and nobody prints

    @property
    def patterns(self) -> list[Pattern]:
        """Raises UserError where the form has no tone patterns, or nothing that could rhyme."""
        found = regulated(self.form, self.tones) if self.tones else [free(self.form)]
        fewest = 1 if self.rhyme else 2  # a single line rhymes with a character that was named, or not at all
        if self.rhyme is not None and max(len(pattern.rhymed) for pattern in found) < fewest:
            raise UserError(
                f"of {described(self.form)} no two rhyme: ask for more lines, for a rhyme with one "
                "character, or for no rhyme"
            )
        return found


def writable(vocabulary: Vocabulary) -> Tensor:
    """(V) which tokens are characters of a line: no marks, no punctuation, no editors' signs."""
    return torch.tensor([len(t) == 1 and unicodedata.category(t) == "Lo" for t in vocabulary.tokens])


class Constraints:
    """A wish over a vocabulary. T patterns, G rhyme groups, P positions, V characters."""

    def __init__(self, vocabulary: Vocabulary, wish: Wish, prosody: Prosody | None) -> None:
        if prosody is None and (wish.tones or wish.rhyme is not None):
            raise ValueError("tones and rhymes need to know which characters have which")
        self.vocabulary, self.wish, self.prosody = vocabulary, wish, prosody
        self.form, self.patterns = wish.form, wish.patterns
        tokens = vocabulary.tokens
        self.fits = {FREE: writable(vocabulary)}  # (V) by what a position needs
        tones = [prosody.tone(t) for t in tokens] if wish.tones and prosody else [EITHER] * len(tokens)
        for need in (LEVEL, OBLIQUE):
            has = torch.tensor([tone in (need, EITHER) for tone in tones])
            self.fits[need] = self.fits[FREE] & has
        self.groups, self.group_of = self._grouped()
        self._open: dict[frozenset[tuple[int, int]], Tensor] = {}

    def _grouped(self) -> tuple[list[Hashable], Tensor]:
        """The groups to rhyme in, and (V) the index of each character's, NOWHERE where it has none."""
        if self.wish.rhyme is None or self.prosody is None:
            return [None], torch.zeros(len(self.vocabulary), dtype=torch.long)
        found = [
            self.prosody.rhyme(token) if usable else None
            for token, usable in zip(self.vocabulary.tokens, self.fits[FREE].tolist(), strict=True)
        ]
        groups = list(dict.fromkeys(group for group in found if group is not None))
        if self.wish.rhyme:
            wanted = self.prosody.rhyme(self.wish.rhyme)
            if wanted is None:
                raise UserError(f"no rhyme is known for {self.wish.rhyme}: name another character")
            groups = [group for group in groups if group == wanted]
        index = {group: place for place, group in enumerate(groups)}
        return groups, torch.tensor([index.get(group, NOWHERE) for group in found])

    def rhymed(self, pattern: Pattern) -> list[int]:
        """The positions that rhyme with each other."""
        return [] if self.wish.rhyme is None else [self.form.last(line) for line in pattern.rhymed]

    def check(self, forced: Mapping[int, int]) -> None:
        """Raises UserError, saying where and why, where nothing can finish a poem with the ids `forced`."""
        if not self._finished(forced).any():
            raise UserError(reason(self, forced))

    def begin(self, forced: Sequence[Mapping[int, int]]) -> "Open":
        """Poems before their first character, each with ids by position that `check` has passed."""
        pairs = torch.stack([self._finished(ids) for ids in forced])
        used = torch.zeros(len(forced), len(self.patterns), len(self.vocabulary), dtype=torch.bool)
        for place, pattern in enumerate(self.patterns):
            for row, ids in enumerate(forced):
                used[row, place, [ids[p] for p in self.rhymed(pattern) if p in ids]] = True
        return Open(self, forced, pairs, used)

    def _finished(self, forced: Mapping[int, int]) -> Tensor:
        """(T, G) the pairs of pattern and group that a poem with these characters can be finished with."""
        asked = frozenset(forced.items())
        if asked not in self._open:
            pairs = [self._groups_for(pattern, forced) for pattern in self.patterns]
            self._open[asked] = torch.stack(pairs)
        return self._open[asked]

    def _groups_for(self, pattern: Pattern, forced: Mapping[int, int]) -> Tensor:
        """(G) the groups that serve `pattern`."""
        none = torch.zeros(len(self.groups), dtype=torch.bool)
        if not all(self.fits[pattern.tones[position]][id] for position, id in forced.items()):
            return none
        empty = {need for need, fitting in self.fits.items() if not fitting.any()}
        if any(need in empty for place, need in enumerate(pattern.tones) if place not in forced):
            return none
        ends = self.rhymed(pattern)
        given = [forced[position] for position in ends if position in forced]
        if len(set(given)) < len(given):
            return none
        enough = self.left(pattern, given) >= len(ends) - len(given) if ends else ~none
        for id in given:
            enough &= torch.arange(len(self.groups)) == self.group_of[id]
        return enough

    def left(self, pattern: Pattern, given: Sequence[int]) -> Tensor:
        """(G) how many characters of each group may still close a rhymed line beside those `given`."""
        need = pattern.tones[self.rhymed(pattern)[0]]  # the same for all: rhymes share their tone
        candidates = self.fits[need].clone()
        candidates[list(given)] = False
        grouped = self.group_of[candidates & (self.group_of != NOWHERE)]
        return torch.bincount(grouped, minlength=len(self.groups))


class Open:
    """What R poems under way can still become: pairs (R, T, G), and rhymes used up (R, T, V)."""

    def __init__(
        self, constraints: Constraints, forced: Sequence[Mapping[int, int]], pairs: Tensor, used: Tensor
    ) -> None:
        self.constraints, self.forced, self.pairs, self.used = constraints, forced, pairs, used

    def allowed(self, position: int) -> Tensor:
        """(R, V) the characters that keep a pair open at `position`, the next to be filled."""
        found = torch.zeros(len(self.pairs), len(self.constraints.vocabulary), dtype=torch.bool)
        for place, pattern in enumerate(self.constraints.patterns):
            fitting = self.constraints.fits[pattern.tones[position]]
            if position in self.constraints.rhymed(pattern):
                found |= fitting & self._rhyming(place) & ~self.used[:, place]
            else:
                found |= fitting & self.pairs[:, place].any(-1)[:, None]
        for row, ids in enumerate(self.forced):
            if position in ids:
                found[row] = False
                found[row, ids[position]] = True
        return found

    def _rhyming(self, place: int) -> Tensor:
        """(R, V) the characters of groups that are open with the pattern at `place`."""
        open_groups = self.pairs[:, place]  # (R, G)
        nowhere = torch.zeros(len(open_groups), 1, dtype=torch.bool)
        return torch.cat([open_groups, nowhere], -1)[:, self.constraints.group_of]

    def chosen(self, position: int, ids: Tensor) -> None:
        """The poems with `ids` (R) at `position`."""
        groups = self.constraints.group_of[ids]  # (R)
        for place, pattern in enumerate(self.constraints.patterns):
            self.pairs[:, place] &= self.constraints.fits[pattern.tones[position]][ids][:, None]
            if position in self.constraints.rhymed(pattern):
                self.pairs[:, place] &= torch.arange(self.pairs.shape[-1]) == groups[:, None]
                self.used[torch.arange(len(ids)), place, ids] = True

    def rows(self, parents: Tensor) -> "Open":
        """The poems at the places `parents`, some perhaps twice: what a beam goes on with."""
        forced = [self.forced[row] for row in parents.tolist()]
        return Open(self.constraints, forced, self.pairs[parents], self.used[parents])

    def found(self, row: int) -> tuple[str, str]:
        """The name of a pattern that the finished poem `row` keeps, and the group in which it rhymes."""
        place, group = (int(value) for value in self.pairs[row].nonzero()[0])
        rhyme = self.constraints.groups[group]
        return self.constraints.patterns[place].name, "" if rhyme is None else str(rhyme)
