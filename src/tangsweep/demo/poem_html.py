"""A poem as HTML: across or down the page, each character with its odds."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from tangsweep.generation.formats import MODERN
from tangsweep.generation.poem import Character, Poem

SURPRISING = 4  # one in 10 to this power, or rarer, has the strongest colour
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


def poems(found: list[Poem], down: bool) -> str:
    """Side by side; hovering over a character, or reaching it by Tab, shows what else could stand there."""
    return f'<div class="poem">{"".join(_poem(poem, down) for poem in found)}</div>'


def _poem(poem: Poem, down: bool) -> str:
    chars = poem.form.chars
    lines = []
    for number in range(poem.form.lines):
        characters = "".join(map(_character, poem.characters[number * chars :][:chars]))
        lines.append(f'<span class="line">{characters}{poem.form.mark(number)}</span>')
    told = [part for part in (poem.pattern, f"韻 {poem.rhyme}" if poem.rhyme else "") if part]
    told.append(f"perplexity {poem.perplexity:.1f}")
    return (
        f'<figure><div class="lines {"down" if down else "across"}">{"".join(lines)}</div>'
        f"<figcaption>{escape(', '.join(told))}</figcaption></figure>"
    )


def _character(character: Character) -> str:
    surprise = min(-math.log10(max(character.probability, 1e-9)) / SURPRISING, 1)
    odds = [(character.text, character.probability), *character.alternatives]
    tip = "\n".join(f"{text}  {_percent(chance)}" for text, chance in odds)
    return (
        f'<span class="c" tabindex="0" style="--surprise:{surprise:.2f}">{escape(character.text)}'
        f'<span class="tip">{escape(tip)}</span></span>'
    )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "< 0.1%"


def mistake(words: str) -> str:
    return f'<p class="mistake" role="alert">{escape(words)}</p>' if words else ""


def note(words: str) -> str:
    return f"<p>{escape(words)}</p>" if words else ""


# A line of the table: a key of `free` and `constrained` in the record, and what it counts.
FIGURES = {
    "rhyme": "neighbouring even lines that rhyme",
    "tones": "bound positions with the tone of the best pattern",
    "tones_shuffled": "the same, characters in random order",
    "distinct_2": "distinct pairs of characters",
    "copied_line": "poems with a line copied from training",
}


def figures(quality: Mapping[str, Any] | None) -> str:
    """What a run's record says of a hundred of its poems."""
    if not quality:
        return "<p>This run's poems were not measured (poems.quality=false, or an older version).</p>"
    rows = [
        f"<tr><th>lines of the right length, nothing asked</th><td>{_share(quality['right_lines'])}</td></tr>"
    ]
    free, constrained = quality["free"] or {}, quality["constrained"] or {}
    rows.append("<tr><th></th><td>form asked</td><td>rhymes and tones too</td></tr>")
    for key, words in FIGURES.items():
        rows.append(
            f"<tr><th>{words}</th><td>{_share(free.get(key))}</td><td>{_share(constrained.get(key))}</td></tr>"
        )
    note = f"<p>{MODERN}</p>" if quality["prosody"] == "modern" else ""
    caption = "<caption>Of a hundred poems of this run</caption>"
    return f'<table class="figures">{caption}{"".join(rows)}</table>{note}'


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
