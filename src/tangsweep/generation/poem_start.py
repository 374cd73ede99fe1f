"""What a poem starts from: characters that stand where they were asked for."""

from collections.abc import Iterable
from typing import NamedTuple

from tangsweep.corpora.chinese_script import to_traditional
from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.constraints import writable
from tangsweep.prosody.form import Form

SKIP = "choose another, or have such characters skipped (--skip-unknown)"


class Beginning(NamedTuple):
    """`ids` by position, all of characters of a line; `name` is what the poem is called, and drawn by."""

    name: str
    ids: dict[int, int]


class Reader:
    """Texts as a model knows them: simplified characters turned into the corpus's, unknown ones named.

    With `skip` unknown characters are left out instead, and remembered in `skipped`.
    """

    def __init__(self, vocabulary: Vocabulary, skip: bool = False) -> None:
        self.vocabulary, self.skip = vocabulary, skip
        self.skipped: list[str] = []
        self._writable = writable(vocabulary)

    def start(self, text: str, form: Form) -> Beginning:
        """A text that the first line begins with, or is.

        Raises UserError for unknown characters, signs that the form sets itself, and a text that is longer
        than a line.
        """
        whole = text.removesuffix(form.mark(0)) if len(text) > form.chars else text
        known = self._line(whole, form)
        return Beginning(known, dict(enumerate(self.vocabulary.encode(known))))

    def acrostic(self, text: str, form: Form) -> Beginning:
        """A character for each line to begin with. Raises UserError where their numbers differ."""
        if len(text) != form.lines:
            more = "more" if len(text) > form.lines else "fewer"
            raise UserError(
                f"the acrostic {_shown(text, '')} has {more} characters ({len(text)}) than the poem "
                f"has lines ({form.lines}): they must be as many"
            )
        known = [self._line(character, form) for character in text]
        firsts = {line * form.chars: self.vocabulary.encode(c)[0] for line, c in enumerate(known) if c}
        return Beginning("".join(c or "□" for c in known), firsts)

    def prompt(self, text: str) -> tuple[int, ...]:
        """Text with its punctuation, for the model to read before the poem."""
        return tuple(self.vocabulary.encode(self._known(text)))

    def _line(self, text: str, form: Form) -> str:
        """`text` as the model knows it. Raises UserError for what cannot stand in a line."""
        known = self._known(text)
        marks = [c for c in known if not self._writable[self.vocabulary.encode(c)[0]]]
        if marks:
            raise UserError(f"{_shown(marks)} is no character of a line: the form sets the marks itself")
        if len(known) > form.chars:
            raise UserError(
                f"the start {_shown(text, '')} is longer than a line of {form.chars} characters: shorten it"
            )
        return known

    def _known(self, text: str) -> str:
        converted = to_traditional(text, self.vocabulary)
        unknown = [c for c in converted if c not in self.vocabulary]
        if unknown and not self.skip:
            raise UserError(
                f"{_shown(dict.fromkeys(unknown))} does not occur in the text that this model was "
                f"trained on: {SKIP}"
            )
        self.skipped += [c for c in dict.fromkeys(unknown) if c not in self.skipped]
        return "".join(c for c in converted if c in self.vocabulary)


def _shown(characters: Iterable[str], between: str = "、") -> str:
    """In one line, whatever they are."""
    return between.join(c if c.isprintable() else ascii(c)[1:-1] for c in characters)
