"""Answers a generation request with poems or running text."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from tangsweep.checkpoint import TrainedModel
from tangsweep.corpora.chinese_script import to_traditional
from tangsweep.corpora.vocabulary import OOV_TOKEN, SPECIAL_TOKENS
from tangsweep.errors import UserError
from tangsweep.generation.constraints import PoemSpec
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem import GeneratedPoem
from tangsweep.generation.poem_composer import PoemComposer
from tangsweep.generation.poem_start import PoemStart, StartEncoder
from tangsweep.generation.request import GenerationRequest
from tangsweep.generation.text_writer import TextWriter
from tangsweep.prosody.form import Form
from tangsweep.prosody.protocol import Prosody
from tangsweep.prosody.tables import load_or_build_prosody

DEFAULT_TEMPERATURE = 0.8
DEFAULT_LENGTH = 200  # characters of running text


class ContinuedText(NamedTuple):
    """Running text; `text` begins with `start`."""

    start: str
    text: str


class ComposedPoems(NamedTuple):
    """The poems of a request."""

    form: Form
    groups: list[list[GeneratedPoem]]  # one group for each start; in each the likeliest poems first
    skipped: list[str]  # unknown characters that were left out
    prosody: Prosody | None  # whose tones and rhymes were used; None if the request has neither

    @property
    def poems(self) -> list[GeneratedPoem]:
        return [poem for group in self.groups for poem in group]


def request_decoding(request: GenerationRequest) -> Decoding:
    """Return how characters are chosen; `request.check()` must have passed."""
    temperature = DEFAULT_TEMPERATURE if request.temperature is None else request.temperature
    return Decoding(temperature, request.top_k, request.top_p, request.beam)


def text_task(trained: TrainedModel) -> str:
    """Return the task of a model, `poems` or `book`. Raises UserError for one that was trained on no text."""
    task = str(trained.config["corpus"]["task"])
    marks = {"poems": SPECIAL_TOKENS, "book": (OOV_TOKEN,)}.get(task)  # with which a vocabulary begins
    if marks is None:
        raise UserError(f"the model was trained on {task}, which is no text: name another run")
    if trained.vocabulary.tokens[: len(marks)] != marks or isinstance(trained.model.embedding, nn.Identity):
        raise UserError(f"the model of {task} does not read their characters: name another run")
    return task


def generate(
    trained: TrainedModel,
    request: GenerationRequest,
    replace_unknown: str | None = None,
    max_alternatives: int = 0,
    report_progress: Callable[[int, int], None] = lambda done, all: None,
) -> ComposedPoems | list[ContinuedText]:
    """Answer a request as the model's task allows: with poems, or with running text.

    `replace_unknown` is for running text; the last two arguments are those of `compose_poems`. Raises
    UserError for a request that is invalid, or that this model cannot answer.
    """
    request.check()
    task = text_task(trained)
    if task == "poems" and request.length is None:
        if replace_unknown is not None:
            raise UserError("--replace-unknown is for running text: for a poem take --skip-unknown")
        return compose_poems(trained, request, load_or_build_prosody, max_alternatives, report_progress)
    if task == "book" and request.poem_option:
        raise UserError(f"{request.poem_option} is for poems, this is a model of a book: take --length")
    return continue_texts(trained, request, task == "poems", replace_unknown)


def generate_texts(
    trained: TrainedModel, request: GenerationRequest, replace_unknown: str | None = None
) -> list[str]:
    """Return the texts with which `generate` answers a request."""
    output = generate(trained, request, replace_unknown)
    if isinstance(output, ComposedPoems):
        return [poem.text for poem in output.poems]
    return [continued.text for continued in output]


def compose_poems(
    trained: TrainedModel,
    request: GenerationRequest,
    load_prosody: Callable[[], Prosody],
    max_alternatives: int = 0,
    report_progress: Callable[[int, int], None] = lambda done, all: None,
) -> ComposedPoems:
    """Compose the poems of a request.

    `load_prosody` is called only for a request with tones or rhymes. `report_progress` receives how many
    starts are done, and of how many. Raises UserError for characters that the model does not know and for
    constraints that no poem can satisfy.
    """
    form = request.poem_form
    encoder = StartEncoder(trained.vocabulary, request.skip_unknown)
    rhyme = to_traditional(request.rhyme, trained.vocabulary) if request.rhyme else request.rhyme
    spec = PoemSpec(form, request.tones, rhyme, encoder.encode_prompt(request.prompt or ""))
    starts = _encode_starts(request, encoder, form)
    prosody = load_prosody() if request.tones or request.rhyme is not None else None
    composer = PoemComposer(trained.model, trained.vocabulary, prosody, max_alternatives)
    groups = composer.compose(
        spec,
        starts,
        request_decoding(request),
        request.seed,
        request.samples,
        lambda done: report_progress(done, len(starts)),
    )
    groups = [group[: request.keep] for group in groups]
    return ComposedPoems(form, groups, encoder.skipped, prosody)


def _encode_starts(request: GenerationRequest, encoder: StartEncoder, form: Form) -> list[PoemStart]:
    """Encode the starts of a request; with skip_unknown, unknown characters of `starts` are left out."""
    if request.acrostic is not None:
        return [encoder.encode_acrostic(request.acrostic, form)]
    if request.starts is None:
        return [encoder.encode_start(request.start or "", form)]
    starts = [encoder.encode_start(character, form) for character in dict.fromkeys(request.starts)]
    if not any(start.ids for start in starts):
        raise UserError("nothing of the starts is known to this model: choose others")
    return [start for start in starts if start.ids]


def continue_texts(
    trained: TrainedModel, request: GenerationRequest, traditional: bool, replacement: str | None
) -> list[ContinuedText]:
    """Continue each start of a request.

    `traditional` converts simplified characters that the model does not know. `replacement` stands for
    characters that it still does not know; None makes them a UserError.
    """
    starts = list(request.starts) if request.starts is not None else [request.start or ""]
    if not all(starts):
        raise UserError("running text needs a start: name one with --start")
    writer = TextWriter(trained.model, trained.vocabulary)
    if traditional:
        starts = [to_traditional(start, trained.vocabulary) for start in starts]
    starts = [writer.replace_unknown(start, replacement) for start in starts]
    if not all(starts):
        raise UserError("nothing of the start is known to this model: write it otherwise")
    length, decoding = request.length or DEFAULT_LENGTH, request_decoding(request)
    return [
        ContinuedText(start, writer.write([start], length, [decoding], request.seed)[0]) for start in starts
    ]
