"""Poems and running text as text, JSON or Markdown."""

import json
from collections.abc import Sequence
from typing import Any

from tangsweep.corpora.chinese_script import to_simplified
from tangsweep.generation.compose import Composed
from tangsweep.generation.poem import Poem
from tangsweep.prosody.form import described

MODERN = "tones and rhymes are those of modern Mandarin, not of the Tang"


def simplified(composed: Composed) -> Composed:
    """The same in simplified characters."""
    return composed._replace(groups=[[_simplified(poem) for poem in group] for group in composed.groups])


def _simplified(poem: Poem) -> Poem:
    characters = [
        character._replace(
            text=to_simplified(character.text),
            alternatives=tuple((to_simplified(text), chance) for text, chance in character.alternatives),
        )
        for character in poem.characters
    ]
    return poem._replace(
        start=to_simplified(poem.start), characters=tuple(characters), rhyme=to_simplified(poem.rhyme)
    )


def text(composed: Composed, samples: int) -> str:
    """Poems with a blank line between them; above each what else was asked of it."""
    return "\n\n".join(_headed(poem, samples) for poem in composed.poems) + "\n"


def _headed(poem: Poem, samples: int) -> str:
    told = "  ".join(_told(poem, samples))
    return f"# {told}\n{poem.text}" if told else poem.text


def _told(poem: Poem, samples: int) -> list[str]:
    rhyme = f"韻 {poem.rhyme}" if poem.rhyme else ""
    score = f"perplexity {poem.perplexity:.1f}" if samples > 1 else ""
    return [part for part in (poem.pattern, rhyme, score) if part]


def markdown(composed: Composed, samples: int) -> str:
    """A heading, and a poem as a quotation, couplet by couplet."""
    parts = [f"## {described(composed.form)}"]
    for poem in composed.poems:
        parts.append("\n".join(f"> {line}  " for line in poem.text.split("\n")))
        told = _told(poem, samples)
        if told:
            parts.append(f"*{', '.join(told)}*")
    if _modern(composed):
        parts.append(f"({_modern(composed)})")
    return "\n\n".join(parts) + "\n"


def notes(composed: Composed) -> list[str]:
    """What whoever asked should know: what was skipped, and whose tones and rhymes these are."""
    skipped = f"{'、'.join(composed.skipped)} is unknown to this model and was skipped"
    return [note for note in (skipped if composed.skipped else "", _modern(composed)) if note]


def _modern(composed: Composed) -> str:
    """Empty where tones and rhymes are the Tang's own, or were not asked for."""
    if composed.prosody is None or composed.prosody.source != "modern":
        return ""
    return f"{MODERN} ({composed.prosody.why})"


def as_json(composed: Composed, asked: dict[str, Any]) -> str:
    """`asked` is what the poems were asked to be, for whoever reads the file later."""
    found = {
        **asked,
        "form": {"name": described(composed.form), **composed.form._asdict()},
        "prosody": composed.prosody.source if composed.prosody else None,
        "skipped": composed.skipped,
        "poems": [_plain(poem) for poem in composed.poems],
    }
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def _plain(poem: Poem) -> dict[str, Any]:
    return {
        "start": poem.start,
        "text": poem.text,
        "lines": poem.lines,
        "perplexity": poem.perplexity,
        "pattern": poem.pattern or None,
        "rhyme": poem.rhyme or None,
        "characters": [
            {
                "character": character.text,
                "probability": character.probability,
                "alternatives": [list(pair) for pair in character.alternatives],
            }
            for character in poem.characters
        ],
    }


def running(texts: Sequence[tuple[str, str]], form: str, asked: dict[str, Any]) -> str:
    """Running text, of which each has its start."""
    if form == "json":
        plain = [{"start": start, "text": written} for start, written in texts]
        return json.dumps({**asked, "texts": plain}, ensure_ascii=False, indent=2) + "\n"
    if form == "markdown":
        return "\n".join(f"```\n{written}\n```\n" for _, written in texts)
    return "\n\n".join(written for _, written in texts) + "\n"
