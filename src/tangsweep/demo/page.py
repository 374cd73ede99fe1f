"""The page: what can be asked, and what comes back. Gradio draws it."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from tangsweep.demo import first_run, models, poem_html
from tangsweep.demo.form_values import LONGEST, OTHER, POEMS, Asked
from tangsweep.errors import UserError
from tangsweep.generation import compose, formats
from tangsweep.prosody import lookup
from tangsweep.prosody.form import CHINESE

TITLE = "tangsweep: poems"
TRAIN = "Train the small default: half a minute, and the download of its corpus where there is no copy"
HOUR = 3600  # seconds
FORMS = [*((f"{CHINESE[name]} {name}", name) for name in CHINESE), ("another", OTHER)]
BEGINNINGS = [("nothing", "nothing"), ("a text", "start"), ("an acrostic 藏頭", "acrostic")]
TONES = [("free", "free"), ("平起 or 仄起", "any"), ("平起", "pingqi"), ("仄起", "zeqi")]
ALTERNATIVES = 5
Answer = tuple[str, str, str, Any]


def build() -> gr.Blocks:
    """The page; which runs lie under outputs/ it looks up whenever a browser loads it."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(HOUR, HOUR)) as page:
        gr.Markdown(f"# {TITLE}\nWhat you type and what is composed stays on this machine.")
        with gr.Column(visible=False) as first:
            gr.Markdown("There is no trained model of poems under `outputs/` yet.")
            begin = gr.Button(TRAIN, elem_id="train")
        with gr.Row(visible=False) as workshop:
            with gr.Column(scale=2, min_width=320):
                run, asked = _asked()
            with gr.Column(scale=3, min_width=320):
                shown = _shown()
                figures = gr.HTML(elem_id="figures")
        failed = gr.HTML(elem_id="failed")
        private: dict[str, Any] = {"api_visibility": "private"}
        page.load(_standing, outputs=[first, workshop, run], **private)
        begin.click(_train, outputs=[failed, begin, first, workshop, run], **private)
        run.change(_figures, inputs=run, outputs=figures, **private)
        asked["compose"].click(_compose, inputs=[run, *_inputs(asked)], outputs=shown, **private)
    return page


def _asked() -> tuple[gr.Dropdown, dict[str, Any]]:
    """The run, and everything else by name; `compose` is the button."""
    run = gr.Dropdown([], label="Run", elem_id="run")
    asked: dict[str, Any] = {"form": gr.Radio(FORMS, value="qijue", label="Form", elem_id="form")}
    with gr.Row(visible=False) as sizes:
        asked["chars"] = gr.Slider(1, 20, 7, step=1, label="Characters a line")
        asked["lines"] = gr.Slider(1, 40, 4, step=1, label="Lines")
    asked["form"].change(lambda form: gr.Row(visible=form == OTHER), asked["form"], sizes)
    asked["begins"] = gr.Radio(BEGINNINGS, value="start", label="Begins with", elem_id="begins")
    asked["text"] = gr.Textbox("山", label="Characters", max_length=LONGEST, elem_id="text")
    with gr.Row():
        asked["rhyme"] = gr.Checkbox(True, label="Rhymes", elem_id="rhyme")
        asked["tones"] = gr.Dropdown(TONES, value="any", label="Tones", elem_id="tones")
    with gr.Row():
        asked["down"] = gr.Checkbox(False, label="Written downward 直書", elem_id="down")
        asked["simple"] = gr.Checkbox(False, label="Simplified 简体")
    with gr.Accordion("How characters are chosen", open=False):
        asked["temperature"] = gr.Slider(0, 2, 0.8, step=0.05, label="Temperature (0: greedy)")
        asked["top_p"] = gr.Slider(0.05, 1, 1, step=0.05, label="Only the likeliest that reach (top-p)")
        asked["samples"] = gr.Slider(1, POEMS, 1, step=1, label="Poems, the model's favourites first")
        asked["seed"] = gr.Number(0, precision=0, minimum=0, label="Seed (equal seeds give equal poems)")
        asked["skip"] = gr.Checkbox(False, label="Skip characters that the model does not know")
    asked["compose"] = gr.Button("Compose 作詩", variant="primary", elem_id="compose")
    return run, asked


def _inputs(asked: dict[str, Any]) -> list[Any]:
    return [part for name, part in asked.items() if name != "compose"]


def _shown() -> list[Any]:
    """Message, poem, plain text to copy, file to download."""
    message = gr.HTML(elem_id="message")
    poem = gr.HTML(elem_id="poem")
    plain = gr.Textbox(label="Plain text", buttons=["copy"], interactive=False, lines=4, elem_id="plain")
    return [message, poem, plain, gr.DownloadButton("Download", interactive=False, elem_id="download")]


def _compose(run: str, *values: Any) -> Answer:
    """What `_shown` shows; a mistake as one line instead of a poem."""
    asked = Asked(*values)
    try:
        request = asked.request
        request.check()
        trained = models.model(models.chosen(run))
        composed = compose.poems(trained, request, lookup.at_hand, ALTERNATIVES)
    except UserError as error:
        return poem_html.mistake(str(error)), "", "", gr.DownloadButton(interactive=False)
    if asked.simple:
        composed = formats.simplified(composed)
    written = formats.text(composed, request.samples)
    plain = "\n\n".join(poem.text for poem in composed.poems)
    notes = poem_html.note("; ".join(formats.notes(composed)))
    return notes, poem_html.poems(composed.poems, asked.down), plain, _download(written)


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """One folder as long as the server lives; Gradio copies what is offered for download."""
    return tempfile.TemporaryDirectory(prefix="tangsweep-")


def _download(written: str) -> Any:
    path = Path(_scratch().name) / "poem.txt"
    path.write_text(written, encoding="utf-8")
    return gr.DownloadButton(value=str(path), interactive=True)


def _figures(run: str | None) -> str:
    if run is None:
        return ""
    try:
        return poem_html.figures(models.quality(models.chosen(run)))
    except UserError as error:
        return poem_html.mistake(str(error))


def _standing() -> tuple[Any, Any, Any]:
    """The offer to train, or what can be asked of the runs that there are."""
    runs = models.offered()
    choices = [(label, key) for key, label in runs.items()]
    run = gr.Dropdown(choices, value=next(iter(runs), None))
    return gr.Column(visible=not runs), gr.Row(visible=bool(runs)), run


def _train(progress: gr.Progress = gr.Progress()) -> Iterator[tuple[Any, ...]]:  # noqa: B008 (Gradio's way)
    """The default run with a progress bar; then the page as it is with a model."""
    yield "", gr.Button(interactive=False), *_standing()
    failed = ""
    try:
        for share in first_run.train():
            progress(share, desc="training")
    except UserError as error:
        failed = poem_html.mistake(str(error))
    yield failed, gr.Button(interactive=True), *_standing()
