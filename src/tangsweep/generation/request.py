"""A user's request for poems or running text, and the checks that need no model. Does not import torch."""

import math
import unicodedata
from typing import NamedTuple

from tangsweep.config.value_types import MAX_LINE, MAX_TEXT
from tangsweep.errors import UserError, did_you_mean
from tangsweep.prosody.form import REGULAR_FORMS, Form
from tangsweep.prosody.pattern import OPENINGS

MAX_VALUES = {
    "chars": MAX_LINE,
    "lines": MAX_LINE,
    "length": MAX_TEXT,
    "top_k": 1_000_000,
    "beam": 64,
    "samples": 1_000,
    "keep": 1_000,
}
POEM_OPTIONS = ("form", "chars", "lines", "acrostic", "prompt", "rhyme", "tones", "beam", "keep")
TEXT_OPTIONS = ("start", "starts", "acrostic", "prompt", "rhyme")
SAMPLING_OPTIONS = ("temperature", "top_k", "top_p")


class GenerationRequest(NamedTuple):
    """The options of one request; None is an option that is not set.

    At most one of `start`, `starts` and `acrostic` is set.
    """

    start: str | None = None  # what the text begins with
    starts: str | None = None  # one text for each of these characters
    acrostic: str | None = None  # the characters that the lines begin with
    prompt: str | None = None  # read before the poem, not printed
    form: str | None = None  # a key of NAMED, instead of chars and lines
    chars: int | None = None  # characters a line; 7
    lines: int | None = None  # lines a poem; 4, or as many as the acrostic has characters
    length: int | None = None  # characters of running text, instead of a poem
    temperature: float | None = None  # 0.8; 0 is greedy
    top_k: int | None = None
    top_p: float | None = None
    beam: int | None = None
    samples: int = 1
    keep: int | None = None  # how many of the samples to return, the likeliest first
    seed: int = 0
    rhyme: str | None = None  # "" for any group, or a character in whose group lines rhyme
    tones: str | None = None  # any, pingqi or zeqi
    skip_unknown: bool = False

    def check(self) -> None:
        """Raise UserError, which names the option, for values that are invalid whatever the model."""
        for name, choices in (("form", REGULAR_FORMS), ("tones", OPENINGS)):
            value = getattr(self, name)
            if value is not None and value not in choices:
                hint = did_you_mean(str(value), choices)
                raise UserError(
                    f"{_flag(name)} {value!a} does not exist; {hint}there are: {', '.join(choices)}"
                )
        for name, maximum in MAX_VALUES.items():
            value = getattr(self, name)
            if value is not None and not 1 <= value <= maximum:
                raise UserError(f"{_flag(name)} {value} is invalid: it must be from 1 to {maximum}")
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise UserError(f"--temperature {self.temperature} is invalid: it must be at least 0")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UserError(f"--top-p {self.top_p} is invalid: it must be above 0 and at most 1")
        self._check_texts()
        self._check_combinations()

    def _check_texts(self) -> None:
        if "" in (self.start, self.starts, self.acrostic):
            raise UserError("the start is empty: name at least one character")
        for name in TEXT_OPTIONS:
            # Line breaks are allowed, because a book may begin with one; lone surrogates are not.
            control = [
                c for c in getattr(self, name) or "" if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"
            ]
            if control:
                raise UserError(f"{_flag(name)} holds {control[0]!a}, which is no character: leave it out")
        if self.acrostic is not None and len(self.acrostic) > MAX_VALUES["lines"]:
            raise UserError(f"the acrostic is too long: at most {MAX_VALUES['lines']} characters")
        if self.rhyme is not None and len(self.rhyme) > 1:
            raise UserError(f"--rhyme {self.rhyme} is invalid: it takes one character, or none for any")

    def _check_combinations(self) -> None:
        if self.length is not None and self.poem_option:
            raise UserError(f"--length is for running text, {self.poem_option} is for poems: leave one out")
        if self.form is not None and (self.chars or self.lines):
            raise UserError("--form has its own characters and lines: leave --chars and --lines out")
        sampling = [name for name in SAMPLING_OPTIONS if getattr(self, name) is not None]
        if self.beam is not None and sampling:
            raise UserError(
                f"--beam does not sample, {_flag(sampling[0])} is for sampling: leave one of them out"
            )
        if self.beam is not None and self.samples > self.beam:
            raise UserError(f"--samples {self.samples} is more than --beam {self.beam} finds: widen the beam")
        if self.keep is not None and self.keep > self.samples:
            raise UserError(
                f"--keep {self.keep} is more than --samples {self.samples}: raise the one or lower the other"
            )
        if self.temperature == 0 and self.samples > 1:
            raise UserError(
                "samples are all the same at temperature 0: raise it, or ask for one (--samples 1)"
            )

    @property
    def poem_form(self) -> Form:
        """Return the form that poems of this request have."""
        if self.form is not None:
            return REGULAR_FORMS[self.form]
        return Form(self.chars or 7, self.lines or len(self.acrostic or "1234"))

    @property
    def poem_option(self) -> str | None:
        """Return the first option set that is valid for poems only; None if there is none."""
        options = [name for name in POEM_OPTIONS if getattr(self, name) is not None]
        if self.samples > 1:
            options.append("samples")
        if self.skip_unknown:
            options.append("skip_unknown")
        return _flag(options[0]) if options else None


def _flag(name: str) -> str:
    """Return the command-line flag of an option."""
    return "--" + name.replace("_", "-")
