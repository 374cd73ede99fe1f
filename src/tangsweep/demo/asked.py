"""What the page's parts say, in their order."""

from typing import NamedTuple

from tangsweep.generation.request import Request

OTHER = "other"  # a form without a name: `chars` and `lines` count
LONGEST = 100  # characters that a text may have
POEMS = 8  # at most, side by side


class Asked(NamedTuple):
    """Values as a browser sends them; `request.check` and the model bound what it may not."""

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
        text = self.text.strip()[: LONGEST + 1]
        named = self.form != OTHER
        return Request(
            start=text or None if self.begins == "start" else None,
            acrostic=text if self.begins == "acrostic" else None,
            form=self.form if named else None,
            chars=None if named else self.chars,
            lines=None if named else self.lines,
            temperature=self.temperature,
            top_p=None if self.top_p == 1 else self.top_p,
            samples=min(self.samples, POEMS),
            seed=self.seed,
            rhyme="" if self.rhyme else None,
            tones=None if self.tones == "free" else self.tones,
            skip_unknown=self.skip,
        )
