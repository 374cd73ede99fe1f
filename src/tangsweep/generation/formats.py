"""Formats poems and running text as plain text, JSON or Markdown."""

import json
from collections.abc import Mapping, Sequence
from typing import TypedDict

from tangsweep.corpora.chinese_script import to_simplified
from tangsweep.generation.compose import ComposedPoems, ContinuedText
from tangsweep.generation.poem import GeneratedPoem
from tangsweep.prosody.form import describe_form

MODERN_PROSODY_NOTE = "tones and rhymes are those of modern Mandarin, not of the Tang"

RequestOptions = Mapping[str, str | int | float | None]  # what was requested, repeated in JSON


class CharacterJson(TypedDict):
    """One character of a poem in JSON."""

    character: str
    probability: float
    alternatives: list[tuple[str, float]]  # JSON has them as arrays


class PoemJson(TypedDict):
    """One poem in JSON."""

    start: str
    text: str
    lines: list[str]
    perplexity: float
    pattern: str | None
    rhyme: str | None
    characters: list[CharacterJson]


def simplify_poems(composed: ComposedPoems) -> ComposedPoems:
    """Return the same poems in simplified characters."""
    return composed._replace(groups=[[_simplify_poem(poem) for poem in group] for group in composed.groups])


def _simplify_poem(poem: GeneratedPoem) -> GeneratedPoem:
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


def format_text(composed: ComposedPoems, samples: int) -> str:
    """Return the poems separated by blank lines, each below a line with its pattern, rhyme and perplexity."""
    blocks = []
    for poem in composed.poems:
        properties = "  ".join(_properties(poem, samples))
        blocks.append(f"# {properties}\n{poem.text}" if properties else poem.text)
    return "\n\n".join(blocks) + "\n"


def format_markdown(composed: ComposedPoems, samples: int) -> str:
    """Return a heading, and each poem as a quotation, couplet by couplet."""
    blocks = [f"## {describe_form(composed.form)}"]
    for poem in composed.poems:
        blocks.append("\n".join(f"> {line}  " for line in poem.text.split("\n")))
        properties = _properties(poem, samples)
        if properties:
            blocks.append(f"*{', '.join(properties)}*")
    if _prosody_note(composed):
        blocks.append(f"({_prosody_note(composed)})")
    return "\n\n".join(blocks) + "\n"


def _properties(poem: GeneratedPoem, samples: int) -> list[str]:
    """Return the poem's pattern and rhyme, and its perplexity where there are samples to compare."""
    rhyme = f"韻 {poem.rhyme}" if poem.rhyme else ""
    perplexity = f"perplexity {poem.perplexity:.1f}" if samples > 1 else ""
    return [words for words in (poem.pattern, rhyme, perplexity) if words]


def collect_notes(composed: ComposedPoems) -> list[str]:
    """Return notes for the user: which characters were skipped, and whether tones and rhymes are modern."""
    skipped = f"{'、'.join(composed.skipped)} is unknown to this model and was skipped"
    return [note for note in (skipped if composed.skipped else "", _prosody_note(composed)) if note]


def _prosody_note(composed: ComposedPoems) -> str:
    """Return a note if tones and rhymes are modern Mandarin's, else an empty string."""
    if composed.prosody is None or composed.prosody.source != "modern":
        return ""
    return f"{MODERN_PROSODY_NOTE} ({composed.prosody.fallback_reason})"


def format_json(composed: ComposedPoems, options: RequestOptions) -> str:
    """Return the poems as JSON, with the options that they were requested with."""
    content = {
        **options,
        "form": {"name": describe_form(composed.form), **composed.form._asdict()},
        "prosody": composed.prosody.source if composed.prosody else None,
        "skipped": composed.skipped,
        "poems": [_poem_json(poem) for poem in composed.poems],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _poem_json(poem: GeneratedPoem) -> PoemJson:
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
                "alternatives": list(character.alternatives),
            }
            for character in poem.characters
        ],
    }


def format_running_text(texts: Sequence[ContinuedText], output_format: str, options: RequestOptions) -> str:
    """Return running text as `output_format`: text, json or markdown."""
    if output_format == "json":
        content = {**options, "texts": [continued._asdict() for continued in texts]}
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    if output_format == "markdown":
        return "\n".join(f"```\n{continued.text}\n```\n" for continued in texts)
    return "\n\n".join(continued.text for continued in texts) + "\n"
