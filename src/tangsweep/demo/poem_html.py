"""Renders poems as HTML, across or down the page, each character with the model's probabilities."""

import math
from collections.abc import Sequence
from html import escape

from tangsweep.generation.formats import MODERN_PROSODY_NOTE
from tangsweep.generation.poem import Character, GeneratedPoem
from tangsweep.runs.record import Quality, QualityFigures

MAX_SURPRISE = 4  # characters of probability 10 to the minus this, or less, have the strongest colour
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
.figures { border-collapse: collapse; font-size: .9rem; }
.figures caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
.figures td, .figures th { padding: .2rem .8rem !important; text-align: left; font-weight: normal; }
.mistake { color: #b91c1c; font-weight: 600; }
"""


def poems_html(poems: Sequence[GeneratedPoem], vertical: bool) -> str:
    """Return poems side by side.

    Hovering over a character, or focusing it by Tab, shows what else could stand there.
    """
    return f'<div class="poem">{"".join(_poem_html(poem, vertical) for poem in poems)}</div>'


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
    surprise = min(-math.log10(max(character.probability, 1e-9)) / MAX_SURPRISE, 1)
    probabilities = [(character.text, character.probability), *character.alternatives]
    tip = "\n".join(f"{text}  {_format_probability(chance)}" for text, chance in probabilities)
    return (
        f'<span class="c" tabindex="0" style="--surprise:{surprise:.2f}">{escape(character.text)}'
        f'<span class="tip">{escape(tip)}</span></span>'
    )


def _format_probability(probability: float) -> str:
    return f"{probability:.1%}" if probability >= 0.001 else "< 0.1%"


def error_html(words: str) -> str:
    return f'<p class="mistake" role="alert">{escape(words)}</p>' if words else ""


def note_html(words: str) -> str:
    return f"<p>{escape(words)}</p>" if words else ""


# Rows of the table: a field of QualityFigures, and what it counts.
QUALITY_ROWS = {
    "rhyme": "neighbouring even lines that rhyme",
    "tones": "bound positions with the tone of the best pattern",
    "tones_shuffled": "the same, characters in random order",
    "distinct_2": "distinct pairs of characters",
    "copied_line": "poems with a line copied from training",
}


def quality_html(quality: Quality | None) -> str:
    """Return a table of the figures that a run's record has on a hundred of its poems."""
    if quality is None:
        return "<p>This run's poems were not measured (poems.quality=false, or an older version).</p>"
    regular = _format_share(quality.right_lines)
    rows = [
        f"<tr><th>lines of the right length, nothing asked</th><td>{regular}</td></tr>",
        "<tr><th></th><td>form asked</td><td>rhymes and tones too</td></tr>",
    ]
    free, constrained = quality.free or QualityFigures(), quality.constrained or QualityFigures()
    for field, words in QUALITY_ROWS.items():
        shares = "".join(
            f"<td>{_format_share(getattr(figures, field))}</td>" for figures in (free, constrained)
        )
        rows.append(f"<tr><th>{words}</th>{shares}</tr>")
    note = f"<p>{MODERN_PROSODY_NOTE}</p>" if quality.prosody == "modern" else ""
    caption = "<caption>Of a hundred poems of this run</caption>"
    return f'<table class="figures">{caption}{"".join(rows)}</table>{note}'


def _format_share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
