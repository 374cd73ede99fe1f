"""The page: a form for a request and the poems that answer it, built with Gradio."""

import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from tangsweep.demo import poem_html, trained_runs
from tangsweep.demo.form_values import CUSTOM_FORM, MAX_CHARACTERS, MAX_POEMS, FormValues
from tangsweep.errors import UserError
from tangsweep.generation import compose, formats
from tangsweep.prosody import tables
from tangsweep.prosody.form import CHINESE_FORM_NAMES, REGULAR_FORMS

TITLE = "tangsweep: poems"
INTRODUCTION = (
    "A neural network that has read poems of the Tang dynasty (618 to 907) writes new ones, character by "
    "character. You choose the form, the first characters, and whether lines rhyme. "
    "What you type and what is composed stays on this machine."
)
RUN_HELP = (
    "the model that comes with the project has read 50,000 poems; below it are your own runs under outputs/, "
    "the newest first. The lower the perplexity (ppl), the better, where the poems held out are the same"
)
NO_POEM_YET = "The poem comes here."
FORM_CHOICES = [
    *(
        (f"{CHINESE_FORM_NAMES[name]} {name}, {form.lines} lines of {form.chars}", name)
        for name, form in REGULAR_FORMS.items()
    ),
    ("another", CUSTOM_FORM),
]
START_CHOICES = [("nothing", "nothing"), ("a text", "start"), ("an acrostic 藏頭", "acrostic")]
TONE_CHOICES = [
    ("free", "free"),
    ("regulated 平起 or 仄起", "any"),
    ("平起, begins level", "pingqi"),
    ("仄起, begins oblique", "zeqi"),
]
MAX_ALTERNATIVES = 5
SECONDS_PER_HOUR = 3600

FormValue = str | int | float | bool | None  # what a browser sends for one component
Answer = tuple[str, str, str, gr.DownloadButton]  # message, poem, plain text, download
Opening = tuple[str, gr.Button, gr.Dropdown]  # what is wrong, compose, the models


class FormComponents(NamedTuple):
    """The components of the form, in the order of FormValues' fields."""

    form: gr.Radio
    chars: gr.Slider
    lines: gr.Slider
    begins: gr.Radio
    text: gr.Textbox
    rhyme: gr.Checkbox
    tones: gr.Dropdown
    vertical: gr.Checkbox
    simplified: gr.Checkbox
    temperature: gr.Slider
    top_p: gr.Slider
    samples: gr.Slider
    seed: gr.Number
    skip: gr.Checkbox


class AnswerComponents(NamedTuple):
    """The components that show an answer, in its order."""

    message: gr.HTML
    poem: gr.HTML
    plain: gr.Textbox
    download: gr.DownloadButton


def build_page() -> gr.Blocks:
    """Build the page.

    Whenever a browser loads it, it looks up the models and composes a poem with the first.
    """
    hourly = (SECONDS_PER_HOUR, SECONDS_PER_HOUR)
    page = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=hourly)
    with page:
        gr.Markdown(f"# {TITLE}\n{INTRODUCTION}")
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                run = gr.Dropdown([], label="Model", info=RUN_HELP, elem_id="run")
                form = _add_form()
                submit = gr.Button("Compose 作詩", variant="primary", interactive=False, elem_id="compose")
            with gr.Column(scale=3, min_width=320):
                notice = gr.HTML(elem_id="notice")
                answer = _add_answer()
                quality = gr.HTML(elem_id="figures")
        values = [run, *form]
        page.load(
            _open, outputs=[notice, submit, run], show_progress="hidden", api_visibility="private"
        ).then(  # the model may have learned since it was chosen
            _compose_first,
            inputs=values,
            outputs=[*answer],
            show_progress="hidden",
            api_visibility="private",
        )
        run.change(_show_quality, inputs=run, outputs=quality, api_visibility="private")
        run.change(_compose_first, inputs=values, outputs=[*answer], api_visibility="private")
        submit.click(_compose, inputs=values, outputs=[*answer], api_visibility="private")
    return page


def _add_form() -> FormComponents:
    form = gr.Radio(FORM_CHOICES, value="qijue", label="Form", elem_id="form")
    with gr.Row(visible=False) as sizes:
        chars = gr.Slider(1, 20, 7, step=1, label="Characters a line")
        lines = gr.Slider(1, 40, 4, step=1, label="Lines")
    form.change(lambda name: gr.Row(visible=name == CUSTOM_FORM), form, sizes)
    begins = gr.Radio(START_CHOICES, value="start", label="Begins with", elem_id="begins")
    text = gr.Textbox("山", label="Characters", max_length=MAX_CHARACTERS, elem_id="text")
    with gr.Row():
        rhyme = gr.Checkbox(True, label="Rhymes", elem_id="rhyme")
        tones = gr.Dropdown(TONE_CHOICES, value="any", label="Tones 平仄", elem_id="tones")
    with gr.Row():
        vertical = gr.Checkbox(False, label="Written downward 直書", elem_id="down")
        simplified = gr.Checkbox(False, label="Simplified 简体")
    with gr.Accordion("How characters are chosen", open=False):
        temperature = gr.Slider(0, 2, 0.8, step=0.05, label="Temperature (0: greedy)")
        top_p = gr.Slider(0.05, 1, 1, step=0.05, label="Only the likeliest that reach (top-p)")
        samples = gr.Slider(1, MAX_POEMS, 1, step=1, label="Poems, the model's favourites first")
        seed = gr.Number(0, precision=0, minimum=0, label="Seed (equal seeds give equal poems)")
        skip = gr.Checkbox(False, label="Skip characters that the model does not know")
    return FormComponents(
        form, chars, lines, begins, text, rhyme, tones, vertical, simplified, temperature, top_p, samples,
        seed, skip,
    )  # fmt: skip


def _add_answer() -> AnswerComponents:
    return AnswerComponents(
        gr.HTML(elem_id="message"),
        gr.HTML(poem_html.note_html(NO_POEM_YET), elem_id="poem"),
        gr.Textbox(
            label="Plain text, to copy",
            placeholder=NO_POEM_YET,
            buttons=["copy"],
            interactive=False,
            lines=4,
            elem_id="plain",
        ),
        gr.DownloadButton("Download", interactive=False, elem_id="download"),
    )


def _compose(run: str, *values: FormValue) -> Answer:
    """Return the poems of a request, or one line on what is wrong with it."""
    try:
        return _composed(run, FormValues._make(values))
    except UserError as error:
        return poem_html.error_html(str(error)), "", "", gr.DownloadButton(interactive=False)


def _compose_first(run: str | None, *values: FormValue) -> Answer:
    """Return a poem of a model that was just chosen, from what the form holds or else from nothing.

    A small model may not know the first characters, or know too few that rhyme. Without a model there is no
    answer.
    """
    if run is None:
        return "", poem_html.note_html(NO_POEM_YET), "", gr.DownloadButton(interactive=False)
    form = FormValues._make(values)
    try:
        return _composed(run, form)
    except UserError as error:
        unasked = form._replace(begins="nothing", rhyme=False, tones="free")
        message, poem, plain, download = _compose(run, *unasked)
        explained = f"{error}; so this poem begins with anything, in free tones"
        return message or poem_html.note_html(explained), poem, plain, download


def _composed(run: str, form: FormValues) -> Answer:
    """Return the poems of a request. Raises UserError."""
    request = form.request
    request.check()
    trained = trained_runs.cached_model(trained_runs.offered_run_folder(run))
    composed = compose.compose_poems(trained, request, tables.cached_prosody, MAX_ALTERNATIVES)
    if form.simplified:
        composed = formats.simplify_poems(composed)
    notes = poem_html.note_html("; ".join(formats.collect_notes(composed)))
    plain = "\n\n".join(poem.text for poem in composed.poems)
    download = _download(formats.format_text(composed, request.samples))
    return notes, poem_html.poems_html(composed.poems, form.vertical), plain, download


@cache
def _download_folder() -> tempfile.TemporaryDirectory[str]:
    """One folder for as long as the server lives; Gradio copies what is offered for download."""
    return tempfile.TemporaryDirectory(prefix="tangsweep-")


def _download(text: str) -> gr.DownloadButton:
    path = Path(_download_folder().name) / "poem.txt"
    path.write_text(text, encoding="utf-8")
    return gr.DownloadButton(value=str(path), interactive=True)


def _show_quality(run: str | None) -> str:
    if run is None:
        return ""
    try:
        return poem_html.quality_html(trained_runs.run_quality(trained_runs.offered_run_folder(run)))
    except UserError as error:
        return poem_html.error_html(str(error))


def _open() -> Opening:
    """Return the models that can be chosen, the first of them chosen; without any, say how to get one."""
    runs = trained_runs.offered_runs()
    notice = "" if runs else poem_html.error_html("there is no model: train one with python src/train.py")
    choices = [(label, name) for name, label in runs.items()]
    return notice, gr.Button(interactive=bool(runs)), gr.Dropdown(choices, value=next(iter(runs), None))
