"""Renders poems as HTML, across or down the page, each character with the model's probabilities."""

import math
from collections.abc import Sequence
from html import escape

from tangsweep.generation.formats import MODERN_PROSODY_NOTE
from tangsweep.generation.poem import Character, GeneratedPoem
from tangsweep.runs.record import Quality, QualityFigures

MAX_SURPRISE = 4  # characters of probability 10 to the minus this, or less, have the strongest colour
LEGEND = {1.0: "certain", 0.1: "one in 10", 0.01: "one in 100", 0.001: "one in 1,000", 0.0001: "less likely"}
CSS = """
.poem { display: flex; gap: 2.5rem; flex-wrap: wrap; padding: .5rem 0; }
.poem figure { margin: 0; }
.poem figcaption { font-size: .85rem; opacity: .7; margin-top: .6rem; }
.poem .lines { font: 1.9rem/1.7 "Noto Serif CJK TC", "Songti TC", "Source Han Serif", serif; }
.poem .down { writing-mode: vertical-rl; min-height: 17rem; letter-spacing: .1em; }
.poem .line { display: block; white-space: nowrap; }
.poem .c { position: relative; border-radius: .15em; cursor: default; outline: none;
  background: rgb(217 119 6 / calc(.5 * var(--surprise))); }
.poem .tip { display: none; position: absolute; top: 105%; left: 0; z-index: 9; writing-mode: horizontal-tb;
  letter-spacing: 0; white-space: pre; font: .85rem/1.5 system-ui, sans-serif; padding: .4rem .6rem;
  border-radius: .3rem; background: #1f2937; color: #fff; }
.poem .c:hover .tip, .poem .c:focus .tip { display: block; }
.legend { font-size: .85rem; opacity: .8; margin-bottom: .5rem; }
.legend .c { border-radius: .15em; padding: .1em .4em; margin-right: .3em; white-space: nowrap;
  background: rgb(217 119 6 / calc(.5 * var(--surprise))); }
.note { font-size: .85rem; opacity: .8; }
.figures { border-collapse: collapse; font-size: .9rem; }
.figures caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
.figures td, .figures th { padding: .2rem .8rem !important; text-align: left; font-weight: normal; }
.mistake { color: #b91c1c; font-weight: 600; }
"""


def poems_html(poems: Sequence[GeneratedPoem], vertical: bool) -> str:
    """Return poems side by side, and a legend.

    Hovering over a character, or focusing it by Tab, shows what else could stand there.
    """
    figures = "".join(_poem_html(poem, vertical) for poem in poems)
    return f'<div class="poem">{figures}</div>{_legend_html()}'


def _legend_html() -> str:
    """Explain the shading of characters, and the perplexity below a poem."""
    swatches = "".join(
        f'<span class="c" style="--surprise:{_surprise(chance):.2f}">{words}</span>'
        for chance, words in LEGEND.items()
    )
    return (
        f'<div class="legend"><p>The darker a character, the less likely the model found it: {swatches}<br>'
        "Point at a character, or press Tab, to see what else it thought of.</p>"
        "<p>Perplexity: how many characters the model hesitated between, on average.</p></div>"
    )


def _poem_html(poem: GeneratedPoem, vertical: bool) -> str:
    chars = poem.form.chars
    lines = []
    for number in range(poem.form.lines):
        characters = "".join(map(_character_html, poem.characters[number * chars :][:chars]))
        lines.append(f'<span class="line">{characters}{poem.form.punctuation_after(number)}</span>')
    properties = [words for words in (poem.pattern, f"韻 {poem.rhyme}" if poem.rhyme else "") if words]
    properties.append(f"perplexity {poem.perplexity:.1f}")
    return (
        f'<figure><div class="lines {"down" if vertical else "across"}">{"".join(lines)}</div>'
        f"<figcaption>{escape(', '.join(properties))}</figcaption></figure>"
    )


def _character_html(character: Character) -> str:
    probabilities = [(character.text, character.probability), *character.alternatives]
    tip = "\n".join(f"{text}  {_format_probability(chance)}" for text, chance in probabilities)
    return (
        f'<span class="c" tabindex="0" style="--surprise:{_surprise(character.probability):.2f}">'
        f"{escape(character.text)}"
        f'<span class="tip">{escape(tip)}</span></span>'
    )


def _surprise(probability: float) -> float:
    """Return how strongly a character is shaded, from 0 (certain) to 1."""
    return min(abs(math.log10(max(probability, 1e-9))) / MAX_SURPRISE, 1)


def _format_probability(probability: float) -> str:
    return f"{probability:.1%}" if probability >= 0.001 else "< 0.1%"


def error_html(words: str) -> str:
    return f'<p class="mistake" role="alert">{escape(words)}</p>' if words else ""


def note_html(words: str) -> str:
    return f'<p class="note">{escape(words)}</p>' if words else ""


# Rows of the table: a field of QualityFigures, and what it counts in plain words.
QUALITY_ROWS = {
    "rhyme": "Pairs of lines that should rhyme and do",
    "tones": "Characters that have the tone of the best-fitting pattern, where it demands one",
    "tones_shuffled": "The same if the characters of each poem are shuffled: chance alone",
    "distinct_2": "Different pairs of neighbouring characters, of all pairs: variety",
    "copied_line": "Poems with a line copied from a poem that the model has read",
}


def quality_html(quality: Quality | None) -> str:
    """Return a table of the figures that a run's record has on a hundred of its poems."""
    if quality is None:
        return (
            "<p>How well this model rhymes and keeps tones was not measured. "
            "For better poems, and figures: <code>python src/train.py experiment=tang_poems</code></p>"
        )
    rows = ["<tr><td></td><td>only the form asked for</td><td>rhymes and tones asked for as well</td></tr>"]
    free, constrained = quality.free or QualityFigures(), quality.constrained or QualityFigures()
    for field, words in QUALITY_ROWS.items():
        shares = "".join(
            f"<td>{_format_share(getattr(figures, field))}</td>" for figures in (free, constrained)
        )
        rows.append(f"<tr><th>{words}</th>{shares}</tr>")
    note = f"<p>{MODERN_PROSODY_NOTE}</p>" if quality.prosody == "modern" else ""
    caption = f"<caption>How good are this model's poems? {quality.poems or 100} of each kind:</caption>"
    unasked = (
        f"<p>With no form asked for, {_format_share(quality.right_lines)} of its lines have five or seven "
        "characters and are as long as the first. In a form, all lines have the right length.</p>"
    )
    return f'<table class="figures">{caption}{"".join(rows)}</table>{unasked}{note}'


def _format_share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
