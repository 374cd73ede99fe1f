"""What a user asks for: a form, how to choose, what to start from, rhymes and tones. No torch here."""

import math
import unicodedata
from typing import NamedTuple

from tangsweep.errors import UserError
from tangsweep.prosody.form import NAMED, Form
from tangsweep.prosody.pattern import OPENINGS

MOST = {  # what makes sense at most
    "chars": 100,
    "lines": 100,
    "length": 100_000,
    "top_k": 1_000_000,
    "beam": 64,
    "samples": 1_000,
    "keep": 1_000,
}
OF_POEMS = ("form", "chars", "lines", "acrostic", "prompt", "rhyme", "tones", "beam", "keep")
TEXTS = ("start", "starts", "acrostic", "prompt", "rhyme")
SAMPLED = ("temperature", "top_k", "top_p")


class Request(NamedTuple):
    """None is what was not asked for. At most one of `start`, `starts` and `acrostic`."""

    start: str | None = None  # what the text begins with
    starts: str | None = None  # one text for each of these characters
    acrostic: str | None = None  # what the lines begin with
    prompt: str | None = None  # read before the poem, not printed
    form: str | None = None  # a key of NAMED, instead of chars and lines
    chars: int | None = None  # a line; 7
    lines: int | None = None  # a poem; 4, or as many as the acrostic has characters
    length: int | None = None  # running text instead of a poem
    temperature: float | None = None  # 0.8; 0 is greedy
    top_k: int | None = None
    top_p: float | None = None
    beam: int | None = None
    samples: int = 1
    keep: int | None = None  # of the samples: so many of the model's favourites
    seed: int = 0
    rhyme: str | None = None  # "" for any, or a character in whose group
    tones: str | None = None  # any, pingqi or zeqi
    skip_unknown: bool = False

    def check(self) -> None:
        """Raises UserError, naming the option, for what makes no sense whatever the model."""
        for name, known in (("form", NAMED), ("tones", OPENINGS)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise UserError(f"{_option(name)} {value!a} does not exist; there are: {', '.join(known)}")
        for name, most in MOST.items():
            value = getattr(self, name)
            if value is not None and not 1 <= value <= most:
                raise UserError(f"{_option(name)} {value} makes no sense: it must be from 1 to {most}")
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise UserError(f"--temperature {self.temperature} makes no sense: it must be at least 0")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UserError(f"--top-p {self.top_p} makes no sense: it must be above 0 and at most 1")
        if "" in (self.start, self.starts, self.acrostic):
            raise UserError("the start is empty: name at least one character")
        for name in TEXTS:
            _check_text(name, getattr(self, name))
        if self.acrostic is not None and len(self.acrostic) > MOST["lines"]:
            raise UserError(f"the acrostic is too long: at most {MOST['lines']} characters")
        if self.rhyme is not None and len(self.rhyme) > 1:
            raise UserError(f"--rhyme {self.rhyme} makes no sense: it takes one character, or none for any")
        self._check_together()

    def _check_together(self) -> None:
        if self.length is not None and self.for_poems:
            raise UserError(f"--length is for running text, {self.for_poems} is for poems: leave one out")
        if self.form is not None and (self.chars or self.lines):
            raise UserError("--form has its own characters and lines: leave --chars and --lines out")
        sampled = [name for name in SAMPLED if getattr(self, name) is not None]
        if self.beam is not None and sampled:
            raise UserError(f"--beam does not sample: leave out it or {_option(sampled[0])}")
        if self.beam is not None and self.samples > self.beam:
            raise UserError(f"--samples {self.samples} is more than --beam {self.beam} finds: widen the beam")
        if self.temperature == 0 and self.samples > 1:
            raise UserError(
                "samples are all the same at temperature 0: raise it, or ask for one (--samples 1)"
            )

    @property
    def poem_form(self) -> Form:
        if self.form is not None:
            return NAMED[self.form]
        return Form(self.chars or 7, self.lines or len(self.acrostic or "1234"))

    @property
    def for_poems(self) -> str | None:
        """An option that only a poem has, where one was given."""
        given = [name for name in OF_POEMS if getattr(self, name) is not None]
        if self.samples > 1:
            given.append("samples")
        if self.skip_unknown:
            given.append("skip_unknown")
        return _option(given[0]) if given else None


def _check_text(name: str, text: str | None) -> None:
    """A book may begin with a line break; nothing begins with half a character or a bell."""
    odd = [c for c in text or "" if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"]
    if odd:
        raise UserError(f"{_option(name)} holds {odd[0]!a}, which is no character: leave it out")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
