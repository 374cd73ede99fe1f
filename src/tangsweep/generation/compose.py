"""From a request to poems, or to running text."""

from collections.abc import Callable
from typing import NamedTuple

from tangsweep.checkpoint import TrainedModel
from tangsweep.corpora.chinese_script import to_traditional
from tangsweep.errors import UserError
from tangsweep.generation.constraints import Wish
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem import Poem
from tangsweep.generation.poem_start import Beginning, Reader
from tangsweep.generation.poet import Poet
from tangsweep.generation.request import Request
from tangsweep.generation.text_writer import Writer
from tangsweep.prosody.form import Form
from tangsweep.prosody.prosody import Prosody

TEMPERATURE = 0.8
LENGTH = 200  # characters of running text


class Composed(NamedTuple):
    """The poems of a request."""

    form: Form
    groups: list[list[Poem]]  # one a beginning; in each the model's favourites first
    skipped: list[str]  # unknown characters that were left out
    prosody: Prosody | None  # whose tones and rhymes; None where none were asked for

    @property
    def poems(self) -> list[Poem]:
        return [poem for group in self.groups for poem in group]


def decoding(request: Request) -> Decoding:
    """Raises nothing: `request` was checked."""
    temperature = TEMPERATURE if request.temperature is None else request.temperature
    return Decoding(temperature, request.top_k, request.top_p, request.beam)


def poems(
    trained: TrainedModel,
    request: Request,
    prosody: Callable[[], Prosody],
    shown: int = 0,
    tell: Callable[[int, int], None] = lambda done, all: None,
) -> Composed:
    """The poems that were asked for; `tell` hears how many beginnings of all are done.

    `prosody` is asked for only where tones or rhymes are. Raises UserError for what this model cannot
    read, or what no poem can keep.
    """
    form = request.poem_form
    reader = Reader(trained.vocabulary, request.skip_unknown)
    wish = Wish(form, request.tones, _rhyme(request, reader), reader.prompt(request.prompt or ""))
    begun = _beginnings(request, reader, form)
    known = prosody() if request.tones or request.rhyme is not None else None
    poet = Poet(trained.model, trained.vocabulary, known, shown)
    groups = poet.compose(
        wish, begun, decoding(request), request.seed, request.samples, lambda done: tell(done, len(begun))
    )
    groups = [group[: request.keep] for group in groups]
    return Composed(form, groups, reader.skipped, known)


def _beginnings(request: Request, reader: Reader, form: Form) -> list[Beginning]:
    """Of the characters of `starts` those that are unknown are left out, where that is allowed."""
    if request.acrostic is not None:
        return [reader.acrostic(request.acrostic, form)]
    if request.starts is None:
        return [reader.start(request.start or "", form)]
    begun = [reader.start(character, form) for character in dict.fromkeys(request.starts)]
    if not any(beginning.ids for beginning in begun):
        raise UserError("nothing of the starts is known to this model: choose others")
    return [beginning for beginning in begun if beginning.ids]


def _rhyme(request: Request, reader: Reader) -> str | None:
    return to_traditional(request.rhyme, reader.vocabulary) if request.rhyme else request.rhyme


def running_text(
    trained: TrainedModel, request: Request, traditional: bool, replacement: str | None
) -> list[tuple[str, str]]:
    """(start, text) of each start. `traditional`: what simplified starts are turned into."""
    starts = list(request.starts) if request.starts is not None else [request.start or ""]
    if not all(starts):
        raise UserError("running text needs a start: name one with --start")
    writer = Writer(trained.model, trained.vocabulary)
    if traditional:
        starts = [to_traditional(start, trained.vocabulary) for start in starts]
    known = [writer.accepted(start, replacement) for start in starts]
    if not all(known):
        raise UserError("nothing of the start is known to this model: write it otherwise")
    length = request.length or LENGTH
    return [(start, writer.write([start], length, [decoding(request)], request.seed)[0]) for start in known]
