import json
from pathlib import Path

import pytest

from tangsweep.corpora import tang
from tangsweep.errors import UserError

GOOD = [{"author": "a", "title": "t", "paragraphs": ["甲乙，丙丁。", "戊己。"], "id": "1"}]


def written(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_poem_is_read_as_the_file_holds_it(tmp_path: Path) -> None:
    [poem] = tang.parse_poem_file(written(tmp_path / "p.json", GOOD))
    assert poem == tang.Poem("1", "a", "t", ("甲乙，丙丁。", "戊己。"))
    assert poem.text == "甲乙，丙丁。戊己。"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[{", "no complete JSON"),
        ("", "no complete JSON"),
        ([], "no list of poems"),
        ({"a": 1}, "no list of poems"),
        ([{"content": ["x"]}], "another schema"),
        ([{"paragraphs": [1], "id": "x"}], "another schema"),
        ([{"paragraphs": ["x"]}], "another schema"),
    ],
)
def test_what_is_wrong_names_the_file(tmp_path: Path, content: object, complaint: str) -> None:
    path = written(tmp_path / "poet.json", content)
    with pytest.raises(UserError, match=complaint) as raised:
        tang.parse_poem_file(path)
    assert str(path) in str(raised.value)


def test_files_are_opened_only_as_needed(tmp_path: Path) -> None:
    first = written(tmp_path / "0.json", GOOD * 3)
    assert len(tang.read_poems(iter([first, tmp_path / "missing.json"]), 2)) == 2
    with pytest.raises(UserError, match=r"missing\.json is missing"):
        tang.read_poems(iter([first, tmp_path / "missing.json"]), 4)


def test_the_fingerprint_depends_on_every_poem() -> None:
    one, other = tang.Poem("1", "", "", ("甲",)), tang.Poem("1", "", "", ("乙",))
    prints = {
        tang.PoemCorpus("n", poems, "", True).fingerprint
        for poems in [(one,), (other,), (one, other), (other, one)]
    }
    assert len(prints) == 4


def test_all_of_tang(tang_folder: Path) -> None:
    poems = tang.read_poems((tang_folder / tang.FOLDER / name for name in tang.FILE_NAMES), None)
    assert len(poems) == 57_607
    assert sum(len(p.text) for p in poems) == 3_668_082
    assert sum(not p.text for p in poems) == 4
