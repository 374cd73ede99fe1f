"""The bundled sample holds 120 poems in the four regular forms, with no line of a Tang poem."""

import re
import unicodedata
from collections import Counter
from pathlib import Path

from tangsweep import files
from tangsweep.corpora import tang

POEMS = tang.parse_poem_file(files.BUNDLED_SAMPLE / tang.FOLDER / tang.FILE_NAMES[0])


def lines(poem: tang.Poem) -> list[str]:
    return [line for line in re.split("[，。]", poem.text) if line]


def test_forms() -> None:
    forms = Counter((len(lines(p)), *{len(line) for line in lines(p)}) for p in POEMS)
    assert set(forms) == {(4, 5), (4, 7), (8, 5), (8, 7)}
    assert len(POEMS) == 120
    assert len({p.id for p in POEMS}) == 120


def test_punctuation_and_characters() -> None:
    for poem in POEMS:
        for couplet in poem.lines:
            assert re.fullmatch(r"\w+，\w+。", couplet)
            assert all(unicodedata.category(c) == "Lo" for c in re.sub("[，。]", "", couplet))


def test_no_line_twice() -> None:
    all_lines = [line for poem in POEMS for line in lines(poem)]
    assert len(all_lines) == len(set(all_lines))


def test_no_line_occurs_in_tang(tang_folder: Path) -> None:
    files = (tang_folder / tang.FOLDER / name for name in tang.FILE_NAMES)
    text = "\n".join(poem.text for poem in tang.read_poems(files, None))
    assert [line for poem in POEMS for line in lines(poem) if line in text] == []
