"""Decides which characters may stand where in a poem, so that every poem satisfies its specification.

A poem may follow any of several tone patterns and rhyme in any of several groups. `FeasibleCompletions` holds
the (pattern, group) pairs with which each unfinished poem can still be completed. A character is allowed if
it leaves at least one pair. Positions depend on each other only through this pair and through rhymes: a
rhymed character may not repeat, so a group must have enough characters left. Writing a poem therefore never
needs to backtrack.
"""

import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError
from tangsweep.prosody.form import Form, describe_form
from tangsweep.prosody.pattern import (
    EITHER,
    FREE,
    LEVEL,
    OBLIQUE,
    TonePattern,
    free_pattern,
    regulated_patterns,
)
from tangsweep.prosody.protocol import Prosody

NO_GROUP = -1  # index of the rhyme group of a character without one


class PoemSpec(NamedTuple):
    """The specification of a request's poems: lines and their length, tones, rhyme.

    `form` says how many characters a line has: with Form(chars=7, lines=4) a poem is four lines of seven. The
    composer draws exactly `form.positions` characters and adds the punctuation.
    """

    form: Form
    tones: str | None = None  # any, pingqi or zeqi; None: tones are free
    rhyme: str | None = None  # a character in whose group even lines rhyme, "" for any group; None: no rhymes
    prompt: tuple[int, ...] = ()  # ids that the model reads before the poem; they are not printed

    @property
    def patterns(self) -> list[TonePattern]:
        """Return the tone patterns that a poem may follow.

        Raises UserError if the form has no tone patterns, or too few lines to rhyme.
        """
        patterns = regulated_patterns(self.form, self.tones) if self.tones else [free_pattern(self.form)]
        min_rhymed = 1 if self.rhyme else 2  # a single line can only rhyme with a named character
        if self.rhyme is not None and max(len(pattern.rhymed) for pattern in patterns) < min_rhymed:
            raise UserError(
                f"of {describe_form(self.form)} no two rhyme: ask for more lines, for a rhyme with one "
                "character, or for no rhyme"
            )
        return patterns


def line_character_mask(vocabulary: Vocabulary) -> Tensor:
    """Return (V) bool: which tokens may stand in a line, that is, no marks, punctuation or editors' signs."""
    return torch.tensor([len(t) == 1 and unicodedata.category(t) == "Lo" for t in vocabulary.tokens])


class Constraints:
    """A poem specification applied to a vocabulary: T patterns, G rhyme groups, V characters."""

    def __init__(self, vocabulary: Vocabulary, spec: PoemSpec, prosody: Prosody | None) -> None:
        if prosody is None and (spec.tones or spec.rhyme is not None):
            raise ValueError("a specification with tones or rhymes needs a prosody table")
        self.vocabulary, self.spec, self.prosody = vocabulary, spec, prosody
        self.form, self.patterns = spec.form, spec.patterns
        tokens = vocabulary.tokens
        self.masks = {FREE: line_character_mask(vocabulary)}  # tone that a position needs → (V) characters
        tones = [prosody.tone(t) for t in tokens] if spec.tones and prosody else [EITHER] * len(tokens)
        for tone in (LEVEL, OBLIQUE):
            has_tone = torch.tensor([own in (tone, EITHER) for own in tones])
            self.masks[tone] = self.masks[FREE] & has_tone
        self.groups, self.group_of = self._rhyme_groups()
        self._feasible_pairs_cache: dict[frozenset[tuple[int, int]], Tensor] = {}

    def _rhyme_groups(self) -> tuple[list[Hashable], Tensor]:
        """Return the groups to rhyme in, and (V) the group index of each character or NO_GROUP."""
        if self.spec.rhyme is None or self.prosody is None:
            return [None], torch.zeros(len(self.vocabulary), dtype=torch.long)
        token_groups = [
            self.prosody.rhyme(token) if usable else None
            for token, usable in zip(self.vocabulary.tokens, self.masks[FREE].tolist(), strict=True)
        ]
        groups = list(dict.fromkeys(group for group in token_groups if group is not None))
        if self.spec.rhyme:
            requested = self.prosody.rhyme(self.spec.rhyme)
            if requested is None:
                raise UserError(f"no rhyme is known for {self.spec.rhyme}: name another character")
            groups = [group for group in groups if group == requested]
        index = {group: place for place, group in enumerate(groups)}
        return groups, torch.tensor([index.get(group, NO_GROUP) for group in token_groups])

    def rhymed_positions(self, pattern: TonePattern) -> list[int]:
        """Return the positions that rhyme with each other; none if no rhyme was requested."""
        return [] if self.spec.rhyme is None else [self.form.last_position(line) for line in pattern.rhymed]

    def is_feasible(self, forced: Mapping[int, int]) -> bool:
        """Return whether any poem has the ids `forced`, by position, and satisfies the specification."""
        return bool(self._feasible_pairs(forced).any())

    def start_poems(self, forced: Sequence[Mapping[int, int]]) -> "FeasibleCompletions":
        """Return the state of one empty poem for each of `forced`, all of which must be feasible."""
        pairs = torch.stack([self._feasible_pairs(ids) for ids in forced])
        used = torch.zeros(len(forced), len(self.patterns), len(self.vocabulary), dtype=torch.bool)
        for place, pattern in enumerate(self.patterns):
            for row, ids in enumerate(forced):
                used[row, place, [ids[p] for p in self.rhymed_positions(pattern) if p in ids]] = True
        return FeasibleCompletions(self, forced, pairs, used)

    def _feasible_pairs(self, forced: Mapping[int, int]) -> Tensor:
        """Return (T, G) bool: with which pairs a poem that has these characters can be completed."""
        key = frozenset(forced.items())
        if key not in self._feasible_pairs_cache:
            pairs = [self._feasible_groups(pattern, forced) for pattern in self.patterns]
            self._feasible_pairs_cache[key] = torch.stack(pairs)
        return self._feasible_pairs_cache[key]

    def _feasible_groups(self, pattern: TonePattern, forced: Mapping[int, int]) -> Tensor:
        """Return (G) bool: which rhyme groups allow a poem of `pattern` that has the characters `forced`."""
        none = torch.zeros(len(self.groups), dtype=torch.bool)
        if not all(self.masks[pattern.tones[position]][id] for position, id in forced.items()):
            return none
        lacking = {tone for tone, mask in self.masks.items() if not mask.any()}
        if any(tone in lacking for place, tone in enumerate(pattern.tones) if place not in forced):
            return none
        rhymed = self.rhymed_positions(pattern)
        forced_rhymes = [forced[position] for position in rhymed if position in forced]
        if len(set(forced_rhymes)) < len(forced_rhymes):
            return none
        unfilled = len(rhymed) - len(forced_rhymes)
        feasible = self.count_rhymes_left(pattern, forced_rhymes) >= unfilled if rhymed else ~none
        for id in forced_rhymes:
            feasible &= torch.arange(len(self.groups)) == self.group_of[id]
        return feasible

    def count_rhymes_left(self, pattern: TonePattern, used_ids: Sequence[int]) -> Tensor:
        """Return (G): how many characters of each group, beside `used_ids`, may close a rhymed line."""
        tone = pattern.tones[self.rhymed_positions(pattern)[0]]  # all rhymed positions need the same tone
        candidates = self.masks[tone].clone()
        candidates[list(used_ids)] = False
        candidate_groups = self.group_of[candidates & (self.group_of != NO_GROUP)]
        return torch.bincount(candidate_groups, minlength=len(self.groups))


class FeasibleCompletions:
    """The ways in which R unfinished poems can still be completed.

    `pairs` (R, T, G) bool are the (pattern, group) pairs left; `used` (R, T, V) bool are the characters that
    close a rhymed line of the pattern already. `forced` are the ids by position that each poem must have.
    """

    def __init__(
        self, constraints: Constraints, forced: Sequence[Mapping[int, int]], pairs: Tensor, used: Tensor
    ) -> None:
        self.constraints, self.forced, self.pairs, self.used = constraints, forced, pairs, used

    def allowed_ids(self, position: int) -> Tensor:
        """Return (R, V) bool: the ids that leave a pair at `position`, the next to be filled."""
        allowed = torch.zeros(len(self.pairs), len(self.constraints.vocabulary), dtype=torch.bool)
        for place, pattern in enumerate(self.constraints.patterns):
            mask = self.constraints.masks[pattern.tones[position]]
            if position in self.constraints.rhymed_positions(pattern):
                allowed |= mask & self._rhyming_ids(place) & ~self.used[:, place]
            else:
                allowed |= mask & self.pairs[:, place].any(-1)[:, None]
        for row, ids in enumerate(self.forced):
            if position in ids:
                allowed[row] = False
                allowed[row, ids[position]] = True
        return allowed

    def _rhyming_ids(self, place: int) -> Tensor:
        """Return (R, V) bool: the ids whose group is left with the pattern at index `place`."""
        groups_left = self.pairs[:, place]  # (R, G)
        no_group = torch.zeros(len(groups_left), 1, dtype=torch.bool)  # the column of NO_GROUP, which is −1
        return torch.cat([groups_left, no_group], -1)[:, self.constraints.group_of]

    def append(self, position: int, ids: Tensor) -> None:
        """Write `ids` (R), one for each unfinished poem, at `position`.

        Drop every (pattern, group) pair with which that poem can no longer be completed.
        """
        groups = self.constraints.group_of[ids]  # (R)
        for place, pattern in enumerate(self.constraints.patterns):
            self.pairs[:, place] &= self.constraints.masks[pattern.tones[position]][ids][:, None]
            if position in self.constraints.rhymed_positions(pattern):
                self.pairs[:, place] &= torch.arange(self.pairs.shape[-1]) == groups[:, None]
                self.used[torch.arange(len(ids)), place, ids] = True

    def select_rows(self, parents: Tensor) -> "FeasibleCompletions":
        """Return the poems at the row indices `parents`, which may repeat, as a beam search needs them."""
        forced = [self.forced[row] for row in parents.tolist()]
        return FeasibleCompletions(self.constraints, forced, self.pairs[parents], self.used[parents])

    def pattern_and_rhyme(self, row: int) -> tuple[str, str]:
        """Return the name of a pattern that the finished poem `row` follows, and the group it rhymes in."""
        place, group = (int(index) for index in self.pairs[row].nonzero()[0])
        rhyme = self.constraints.groups[group]
        return self.constraints.patterns[place].name, "" if rhyme is None else str(rhyme)
