"""The values of the page's form, in their order, and the request that they make."""

import math
from typing import NamedTuple

from tangsweep.errors import UserError
from tangsweep.generation.request import GenerationRequest

CUSTOM_FORM = "other"  # a form without a name: `chars` and `lines` count
MAX_CHARACTERS = 100  # of the text field
MAX_POEMS = 8  # side by side


class FormValues(NamedTuple):
    """Values as a browser sends them, whose types are not checked yet; `request` refuses invalid ones."""

    form: str
    chars: int
    lines: int
    begins: str  # nothing, start or acrostic
    text: str
    rhyme: bool
    tones: str  # free, any, pingqi or zeqi
    vertical: bool
    simplified: bool
    temperature: float
    top_p: float
    samples: int
    seed: int
    skip: bool

    @property
    def request(self) -> GenerationRequest:
        """Return the request. Raises UserError for a value of another type than its field has."""
        text = str(self.text or "").strip()[: MAX_CHARACTERS + 1]
        is_custom = self.form == CUSTOM_FORM
        return GenerationRequest(
            start=text or None if self.begins == "start" else None,
            acrostic=text if self.begins == "acrostic" else None,
            form=None if is_custom else self.form,
            chars=_whole_number("number of characters", self.chars) if is_custom else None,
            lines=_whole_number("number of lines", self.lines) if is_custom else None,
            temperature=_finite_number("temperature", self.temperature),
            top_p=None if self.top_p == 1 else _finite_number("top-p", self.top_p),
            samples=min(_whole_number("number of poems", self.samples), MAX_POEMS),
            seed=_whole_number("seed", self.seed),
            rhyme="" if self.rhyme else None,
            tones=None if self.tones == "free" else self.tones,
            skip_unknown=self.skip,
        )


def _whole_number(name: str, value: object) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or value != int(_finite_number(name, value))
    ):
        raise UserError(f"the {name} must be a whole number")
    return int(value)


def _finite_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"the {name} must be a number")
    return value
