"""What the page's parts say, in their order."""

import math
from typing import NamedTuple

from tangsweep.errors import UserError
from tangsweep.generation.request import Request

OTHER = "other"  # a form without a name: `chars` and `lines` count
LONGEST = 100  # characters that a text may have
POEMS = 8  # at most, side by side


class Asked(NamedTuple):
    """Values as a browser sends them, whatever those are; `request` refuses what makes no sense."""

    form: str
    chars: int
    lines: int
    begins: str  # nothing, start or acrostic
    text: str
    rhyme: bool
    tones: str  # free, any, pingqi or zeqi
    down: bool
    simple: bool
    temperature: float
    top_p: float
    samples: int
    seed: int
    skip: bool

    @property
    def request(self) -> Request:
        """Raises UserError for a value of another kind than its part of the page gives."""
        text = str(self.text or "").strip()[: LONGEST + 1]
        named = self.form != OTHER
        return Request(
            start=text or None if self.begins == "start" else None,
            acrostic=text if self.begins == "acrostic" else None,
            form=self.form if named else None,
            chars=None if named else _whole("number of characters", self.chars),
            lines=None if named else _whole("number of lines", self.lines),
            temperature=_number("temperature", self.temperature),
            top_p=None if self.top_p == 1 else _number("top-p", self.top_p),
            samples=min(_whole("number of poems", self.samples), POEMS),
            seed=_whole("seed", self.seed),
            rhyme="" if self.rhyme else None,
            tones=None if self.tones == "free" else self.tones,
            skip_unknown=self.skip,
        )


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(_number(name, value)):
        raise UserError(f"the {name} must be a whole number")
    return int(value)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"the {name} must be a number")
    return value
