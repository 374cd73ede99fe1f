"""A table of tones, learned from the annotation of the corpus."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tangsweep.corpora.tone_annotation import Annotated
from tangsweep.prosody.pattern import EITHER, LEVEL, OBLIQUE

CLEAR = 0.9  # the share of a character's marks that must agree; the annotation itself errs now and then


def learn(poems: Iterable[Annotated]) -> dict[str, str]:
    """Character → 平, 仄, or ○ where it is read with either tone.

    Characters that are only marked as unknown have no entry.
    """
    counts: dict[str, Counter[str]] = {}
    for poem in poems:
        for character, tone in zip(poem.text, poem.tones, strict=True):
            if tone in (LEVEL, OBLIQUE, EITHER):
                counts.setdefault(character, Counter())[tone] += 1
    return {character: _tone(counted) for character, counted in counts.items()}


def _tone(counted: Counter[str]) -> str:
    tone, most = counted.most_common(1)[0]
    return tone if most >= CLEAR * counted.total() else EITHER


def agreement(table: Mapping[str, str], held_out: Iterable[Annotated]) -> dict[str, Any]:
    """How a table does on poems that it was not learned from: shares of their characters.

    `known` has an entry; of those `either` is left open by the table; of the rest, where the annotation
    decides between level and oblique, `agree` is the share with the same tone.
    """
    found: Counter[str] = Counter()
    for poem in held_out:
        for character, tone in zip(poem.text, poem.tones, strict=True):
            if tone in (LEVEL, OBLIQUE, EITHER):
                found[table.get(character, "missing") + tone] += 1
    missing = sum(found["missing" + tone] for tone in (LEVEL, OBLIQUE, EITHER))
    either = sum(found[EITHER + tone] for tone in (LEVEL, OBLIQUE, EITHER))
    decided = {
        mine + theirs: found[mine + theirs] for mine in (LEVEL, OBLIQUE) for theirs in (LEVEL, OBLIQUE)
    }
    return {
        "characters": found.total(),
        "known": 1 - missing / found.total(),
        "either": either / (found.total() - missing),
        "agree": (decided["平平"] + decided["仄仄"]) / sum(decided.values()),
    }
