"""Print facts about the learned tables of tones and rhymes, or the tone and rhyme of characters.

python -m tangsweep.prosody            how good the tables are, judged on held-out poems
python -m tangsweep.prosody 看月樓     tone and rhyme of each character, learned and modern
"""

from tangsweep.command_line import ArgumentParser, run_command
from tangsweep.corpora import download
from tangsweep.errors import UserError
from tangsweep.prosody import tables
from tangsweep.prosody.lookup import LearnedProsody, ModernProsody, RhymeErrors, TableFacts


def main() -> None:
    parser = ArgumentParser(description="Tones and rhymes of Tang poetry, learned from the corpus.")
    parser.add_argument("characters", nargs="?", default="", help="characters whose tone and rhyme to show")
    options = parser.parse_args()
    try:
        learned = tables.load_or_build_tables()
    except download.NetworkUnreachable as error:
        raise UserError(
            f"the network was not reached ({error}): connect, or name a copy in TANGSWEEP_DATA"
        ) from None
    if options.characters:
        lines = _format_characters(options.characters, learned)
    else:
        assert learned.facts is not None  # every cache file that this package writes has them
        lines = _format_facts(learned.facts)
    print("\n".join(lines))


def _format_facts(facts: TableFacts) -> list[str]:
    skipped = ", ".join(f"{count:,} {reason}" for reason, count in facts["skipped"].items())
    held_out = facts["held_out"]
    tones, conformity = held_out["tones"], held_out["conformity"]
    return [
        f"{facts['poems']:,} poems with their annotation; left out: {skipped}",
        f"tones: {facts['characters']:,} characters, {facts['either']:,} of them of either tone",
        f"rhymes: {facts['groups']} groups of {facts['rhyming']:,} characters",
        "",
        "tables learned from nine tenths of the poems, judged on the last tenth:",
        f"tones of {tones['characters']:,} characters: {tones['known']:.2%} known",
        f"  of those {tones['either']:.1%} of either tone, of the others {tones['agree']:.3%} as annotated",
        f"rhymes of {held_out['learned']['poems']:,} regular poems, share of pairs of lines",
        f"{'':34}{'rhyming,':>14}{'strangers,':>16}{'unrhymed,':>15}{'characters':>12}",
        f"{'':34}{'separated':>14}{'joined':>16}{'joined':>15}{'covered':>12}",
        _format_errors("learned groups", held_out["learned"]),
        _format_errors("modern finals without medial", held_out["modern"]),
        _format_errors("modern finals", held_out["finals"]),
        f"conformity of those poems: {conformity['tones']:.1%} of tones, {conformity['rhyme']:.1%} of rhymes",
    ]


def _format_errors(name: str, errors: RhymeErrors) -> str:
    shares = f"{errors['missed']:>14.2%}{errors['strangers']:>16.2%}{errors['unrhymed']:>15.2%}"
    return f"  {name:32}{shares}{errors['covered']:>12.2%}"


def _format_characters(characters: str, learned: LearnedProsody) -> list[str]:
    """Return lines of character, learned tone and group, modern tone and final, separated by tabs."""
    modern = ModernProsody()
    lines = []
    for character in characters:
        values = [learned.tone(character), learned.rhyme(character)]
        values += [modern.tone(character), modern.rhyme(character)]
        lines.append("\t".join([character, *(value or "?" for value in values)]))
    return lines


if __name__ == "__main__":
    run_command(main)
