"""Modern tones and rhymes: Mandarin readings of characters, by pypinyin."""

from functools import cache

from tangsweep.prosody.pattern import LEVEL, OBLIQUE

LEVEL_TONES = "12"  # 陰平 and 陽平; the entering tone of Tang Chinese is gone, its characters have any tone
MEDIALS = "iuv"


@cache
def reading(character: str) -> tuple[str, str] | None:
    """Final and tone (1 to 5) of the character's first reading; None where there is none."""
    from pypinyin import Style, pinyin  # its dictionary takes a moment to load

    def read(style: Style) -> str:
        found = pinyin(character, style=style, neutral_tone_with_five=True, errors="ignore")
        return found[0][0] if found else ""

    final, tone = read(Style.FINALS), read(Style.TONE3)[-1:]
    return (final, tone) if final and tone.isdigit() else None


def tone(character: str) -> str | None:
    """平 for the first and second tone, 仄 for the others, None where the reading is unknown."""
    read = reading(character)
    return None if read is None else (LEVEL if read[1] in LEVEL_TONES else OBLIQUE)


def final(character: str) -> str | None:
    """The final of the reading, `ian` of 天."""
    read = reading(character)
    return None if read is None else read[0]


def rhyme(character: str) -> str | None:
    """The final without its medial, which rhymes leave out: `an` of 天, 寒 and 關."""
    whole = final(character)
    if whole is None:
        return None
    if whole in ("ie", "ve"):  # another vowel than that of e alone
        return "ê"
    return whole[1:] if len(whole) > 1 and whole[0] in MEDIALS and whole[1] in "aeo" else whole
