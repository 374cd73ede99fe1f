"""What the learned tables know, and how far they can be trusted.

python -m tangsweep.prosody            figures, on poems that the tables were not learned from
python -m tangsweep.prosody 看月樓     tone and rhyme of characters, learned and modern
"""

import argparse
from collections.abc import Mapping
from typing import Any

from tangsweep.command_line import run_command
from tangsweep.corpora import download
from tangsweep.errors import UserError
from tangsweep.prosody import lookup
from tangsweep.prosody.lookup import Learned, Modern

RULES = {"learned": "learned groups", "modern": "modern finals without medial", "finals": "modern finals"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Tones and rhymes of Tang poetry, learned from the corpus.")
    parser.add_argument("characters", nargs="?", default="", help="whose tone and rhyme to show")
    options = parser.parse_args()
    try:
        learned = lookup.learned()
    except download.Unreachable as reason:
        raise UserError(
            f"the network was not reached ({reason}): connect, or name a copy in TANGSWEEP_DATA"
        ) from None
    lines = _characters(options.characters, learned) if options.characters else _figures(learned.facts)
    print("\n".join(lines))


def _figures(facts: Mapping[str, Any]) -> list[str]:
    skipped = ", ".join(f"{count:,} {why}" for why, count in facts["skipped"].items())
    held_out = facts["held_out"]
    tones, kept = held_out["tones"], held_out["conformity"]
    lines = [
        f"{facts['poems']:,} poems with their annotation; left out: {skipped}",
        f"tones: {facts['characters']:,} characters, {facts['either']:,} of them of either tone",
        f"rhymes: {facts['groups']} groups of {facts['rhyming']:,} characters",
        "",
        "tables of nine tenths of the poems, held against the last tenth:",
        f"tones of {tones['characters']:,} characters: {tones['known']:.2%} known",
        f"  of those {tones['either']:.1%} of either tone, of the others {tones['agree']:.3%} as annotated",
        f"rhymes of {held_out['learned']['poems']:,} regular poems, share of pairs of lines",
        f"{'':34}{'rhyme, kept':>14}{'strangers, put':>16}{'unrhymed, put':>15}{'characters':>12}",
        f"{'':34}{'apart':>14}{'together':>16}{'together':>15}{'covered':>12}",
    ]
    for name, words in RULES.items():
        found = held_out[name]
        wrong = f"{found['missed']:>14.2%}{found['strangers']:>16.2%}{found['unrhymed']:>15.2%}"
        lines.append(f"  {words:32}{wrong}{found['covered']:>12.2%}")
    lines.append(f"those poems keep {kept['tones']:.1%} of their tones, {kept['rhyme']:.1%} of their rhymes")
    return lines


def _characters(characters: str, learned: Learned) -> list[str]:
    """Tabs between: character, learned tone and group, modern tone and final."""
    lines = []
    for character in characters:
        found = [f(character) for known in (learned, Modern()) for f in (known.tone, known.rhyme)]
        lines.append("\t".join([character, *(str(value or "?") for value in found)]))
    return lines


if __name__ == "__main__":
    run_command(main)
