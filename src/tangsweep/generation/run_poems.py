"""The poems that every run leaves: some forms, some starts, as text and as rows of a table."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tangsweep.errors import UserError
from tangsweep.generation.constraints import Wish
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem_start import Reader
from tangsweep.generation.poet import Poet
from tangsweep.prosody.form import Form

COLUMNS = ("start", "chars", "temperature", "poem")


class Composed(NamedTuple):
    """One poem with what it was asked to be; `poem` says so where the start is unknown."""

    start: str
    chars: int
    temperature: float
    poem: str


def compose(poet: Poet, settings: Mapping[str, Any], seed: int) -> list[Composed]:
    """A poem for each of `settings["forms"]` and each character of `settings["starts"]`."""
    composed = []
    for wanted in settings["forms"]:
        form, temperature = Form(wanted["chars"], settings["lines"]), wanted["temperature"]
        for start in settings["starts"]:
            text = _poem_or_reason(poet, form, start, temperature, seed)
            composed.append(Composed(start, form.chars, temperature, text))
    return composed


def _poem_or_reason(poet: Poet, form: Form, start: str, temperature: float, seed: int) -> str:
    try:
        beginning = Reader(poet.vocabulary).start(start, form)
        [[poem]] = poet.compose(Wish(form), [beginning], Decoding(temperature), seed)
    except UserError as reason:
        return f"({reason})"
    return poem.text


def as_text(composed: Sequence[Composed]) -> str:
    """poems.txt: a heading line and the poem, a blank line between poems."""
    return "\n".join(
        f"# {c.start}  {c.chars} characters a line, temperature {c.temperature}\n{c.poem}\n" for c in composed
    )
