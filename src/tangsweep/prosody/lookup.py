"""Look up the tone and the rhyme of a character: in tables learned from the corpus, or in modern Mandarin."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypedDict

from tangsweep.prosody.pattern import LEVEL, OBLIQUE

LEVEL_MANDARIN_TONES = "12"  # 陰平, 陽平; characters of the entering tone, now lost, have any of the four
MEDIALS = "iuv"


class ToneAgreement(TypedDict):
    """How well a tone table does on poems that it was not learned from."""

    characters: int  # that are annotated with a tone
    known: float  # share of them with an entry in the table
    either: float  # share of the known ones that the table gives either tone
    agree: float  # share with the annotated tone, among those where table and annotation decide


class RhymeErrors(TypedDict):
    """How often a rhyme rule is wrong on poems that it was not learned from; `rhyme_errors` explains it."""

    poems: int
    missed: float
    strangers: float
    unrhymed: float
    covered: float


class HeldOutFacts(TypedDict):
    """Results on the tenth of the poems that judges tables learned from the others."""

    tones: ToneAgreement
    learned: RhymeErrors
    modern: RhymeErrors  # of modern finals without their medial
    finals: RhymeErrors  # of modern finals
    conformity: dict[str, float | None]  # shares of tones and rhymes of the poems that keep the rules


class TableFacts(TypedDict):
    """What the tables were learned from, their sizes, and how good they are."""

    poems: int
    skipped: dict[str, int]  # poems whose annotation does not fit, by reason
    characters: int  # in the table of tones
    either: int  # of those, with either tone
    groups: int  # of rhymes
    rhyming: int  # characters in the table of rhymes
    held_out: HeldOutFacts


@dataclass(frozen=True)
class LearnedProsody:
    """Tables that were learned from the corpus's tone annotation and line ends."""

    tones: Mapping[str, str]
    rhymes: Mapping[str, str]
    facts: TableFacts | None = None
    source: str = "learned"
    fallback_reason: str = ""

    def tone(self, character: str) -> str | None:
        return self.tones.get(character)

    def rhyme(self, character: str) -> str | None:
        return self.rhymes.get(character)


@dataclass(frozen=True)
class ModernProsody:
    """Modern Mandarin readings, for want of the learned tables."""

    fallback_reason: str = ""
    source: str = "modern"

    def tone(self, character: str) -> str | None:
        return mandarin_tone(character)

    def rhyme(self, character: str) -> str | None:
        return mandarin_rhyme(character)


@cache
def mandarin_reading(character: str) -> tuple[str, str] | None:
    """Return final and tone (1 to 5) of the character's first reading; None if pypinyin knows none."""
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")  # 0.2 s; one character is never a phrase
    from pypinyin import Style, pinyin  # loads its dictionary

    def first_reading(style: Style) -> str:
        readings = pinyin(character, style=style, neutral_tone_with_five=True, errors="ignore")
        return readings[0][0] if readings else ""

    final, tone = first_reading(Style.FINALS), first_reading(Style.TONE3)[-1:]
    return (final, tone) if final and tone.isdigit() else None


def mandarin_tone(character: str) -> str | None:
    """Return 平 for the first and second tone, 仄 for the others, None if the reading is unknown."""
    reading = mandarin_reading(character)
    return None if reading is None else (LEVEL if reading[1] in LEVEL_MANDARIN_TONES else OBLIQUE)


def mandarin_final(character: str) -> str | None:
    """Return the final of the reading: `ian` for 天."""
    reading = mandarin_reading(character)
    return None if reading is None else reading[0]


def mandarin_rhyme(character: str) -> str | None:
    """Return the final without its medial, which does not count for rhymes: `an` for 天, 寒 and 關."""
    final = mandarin_final(character)
    if final is None:
        return None
    if final in ("ie", "ve"):  # another vowel than that of e alone
        return "ê"
    return final[1:] if len(final) > 1 and final[0] in MEDIALS and final[1] in "aeo" else final
