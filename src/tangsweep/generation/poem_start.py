"""Encodes what a poem starts from: a first line, an acrostic, a prompt."""

from collections.abc import Iterable
from typing import NamedTuple

from tangsweep.corpora.chinese_script import to_traditional
from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.constraints import line_character_mask
from tangsweep.prosody.form import Form


class PoemStart(NamedTuple):
    """The characters that a poem must have at given positions."""

    name: str  # what the poem is called; its random numbers are derived from it
    ids: dict[int, int]  # position → id of a character that may stand in a line


class StartEncoder:
    """Encodes a user's texts for a model.

    Simplified characters that the model does not know are converted to traditional ones. Characters that it
    still does not know raise UserError, or with `skip` are left out and collected in `skipped`.
    """

    def __init__(self, vocabulary: Vocabulary, skip: bool = False) -> None:
        self.vocabulary, self.skip = vocabulary, skip
        self.skipped: list[str] = []
        self._may_stand_in_line = line_character_mask(vocabulary)

    def encode_start(self, text: str, form: Form) -> PoemStart:
        """Encode a text that the first line begins with, or consists of.

        Raises UserError for unknown characters, for punctuation, which the form sets itself, and for a text
        that is longer than a line.
        """
        whole = text.removesuffix(form.punctuation_after(0)) if len(text) > form.chars else text
        line = self._convert_line(whole, form)
        return PoemStart(line, dict(enumerate(self.vocabulary.encode(line))))

    def encode_acrostic(self, text: str, form: Form) -> PoemStart:
        """Encode one character for each line to begin with. Raises UserError if their numbers differ."""
        if len(text) != form.lines:
            more = "more" if len(text) > form.lines else "fewer"
            raise UserError(
                f"the acrostic {_join_printable(text, '')} has {more} characters ({len(text)}) than the poem "
                f"has lines ({form.lines}): they must be as many"
            )
        firsts = [self._convert_line(character, form) for character in text]
        ids = {line * form.chars: self.vocabulary.encode(c)[0] for line, c in enumerate(firsts) if c}
        return PoemStart("".join(c or "□" for c in firsts), ids)

    def encode_prompt(self, text: str) -> tuple[int, ...]:
        """Encode a text, punctuation included, for the model to read before the poem."""
        return tuple(self.vocabulary.encode(self._convert(text)))

    def _convert_line(self, text: str, form: Form) -> str:
        """Convert `text` as `_convert` does. Raises UserError if it cannot stand in a line."""
        line = self._convert(text)
        marks = [c for c in line if not self._may_stand_in_line[self.vocabulary.encode(c)[0]]]
        if marks:
            raise UserError(
                f"{_join_printable(marks)} is no character of a line: the form sets the marks itself"
            )
        if len(line) > form.chars:
            raise UserError(
                f"the start {_join_printable(text, '')} is longer than a line of {form.chars} characters: "
                "shorten it"
            )
        return line

    def _convert(self, text: str) -> str:
        """Return `text` in the characters that the model knows. Raises UserError for others unless `skip`."""
        converted = to_traditional(text, self.vocabulary)
        unknown = [c for c in converted if c not in self.vocabulary]
        if unknown and not self.skip:
            raise UserError(
                f"{_join_printable(dict.fromkeys(unknown))} does not occur in the text that this model was "
                "trained on: choose another, or have such characters skipped (--skip-unknown)"
            )
        self.skipped += [c for c in dict.fromkeys(unknown) if c not in self.skipped]
        return "".join(c for c in converted if c in self.vocabulary)


def _join_printable(characters: Iterable[str], separator: str = "、") -> str:
    """Join characters for a one-line message; unprintable ones are escaped."""
    return separator.join(c if c.isprintable() else ascii(c)[1:-1] for c in characters)
