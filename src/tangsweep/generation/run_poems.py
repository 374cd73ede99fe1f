"""Composes the poems that every run of poems writes when it ends, for poems.txt and a table."""

from collections.abc import Sequence
from typing import NamedTuple

from tangsweep.config.groups import PoemsOptions
from tangsweep.errors import UserError
from tangsweep.generation.constraints import PoemSpec
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem_composer import PoemComposer
from tangsweep.generation.poem_start import StartEncoder
from tangsweep.prosody.form import Form

COLUMNS = ("start", "chars", "temperature", "poem")


class RunPoem(NamedTuple):
    """A poem of a run, with what it was composed from; a row of the table."""

    start: str
    chars: int
    temperature: float
    poem: str  # its text, or in parentheses why there is none


def compose_run_poems(composer: PoemComposer, options: PoemsOptions, seed: int) -> list[RunPoem]:
    """Compose one poem for each of `options.forms` and each character of `options.starts`."""
    poems = []
    for form_options in options.forms:
        form = Form(form_options.chars, options.lines)
        for start in options.starts:
            text = _compose_text(composer, form, start, form_options.temperature, seed)
            poems.append(RunPoem(start, form.chars, form_options.temperature, text))
    return poems


def _compose_text(composer: PoemComposer, form: Form, start: str, temperature: float, seed: int) -> str:
    """Compose one poem; if that is impossible, return the reason in parentheses, because a run goes on."""
    try:
        poem_start = StartEncoder(composer.vocabulary).encode_start(start, form)
        [[poem]] = composer.compose(PoemSpec(form), [poem_start], Decoding(temperature), seed)
    except UserError as reason:
        return f"({reason})"
    return poem.text


def format_run_poems(poems: Sequence[RunPoem]) -> str:
    """Return the content of poems.txt: a heading line and a poem, a blank line between poems."""
    return "\n".join(
        f"# {poem.start}  {poem.chars} characters a line, temperature {poem.temperature}\n{poem.poem}\n"
        for poem in poems
    )
