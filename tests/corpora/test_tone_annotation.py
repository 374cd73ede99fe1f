import json
from pathlib import Path

from tangsweep.corpora.tone_annotation import ToneAnnotation, join_annotation


def write_json(path: Path, entries: list[dict[str, object]]) -> Path:
    path.write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
    return path


def join(folder: Path, poems: dict[str, str], tones: dict[str, str]) -> ToneAnnotation:
    texts = [{"id": id, "paragraphs": [text], "author": "", "title": ""} for id, text in poems.items()]
    marks = [{"id": id, "strains": [line]} for id, line in tones.items()]
    paths = write_json(folder / "poems.json", texts), write_json(folder / "tones.json", marks)
    return join_annotation([paths])


def test_poems_and_annotation_are_joined_by_id(tmp_path: Path) -> None:
    poems = {"a": "白日，", "b": "《山》[月]。", "c": "山月", "d": "山，月", "e": "何處？", "f": "山"}
    tones = {"f": "平", "e": "平仄。", "d": "平平，", "c": "平仄仄", "b": "平仄。", "a": "仄仄，"}
    annotation = join(tmp_path, poems, {k: v for k, v in tones.items() if k != "f"})
    assert {a.poem.id: (a.text, a.tones) for a in annotation.poems} == {
        "a": ("白日，", "仄仄，"),
        "b": ("山月。", "平仄。"),  # editors' marks, which the annotation lacks
        "e": ("何處？", "平仄。"),
    }
    assert annotation.skipped == {"unannotated": 1, "length": 1, "punctuation": 1}


def test_an_unknown_tone_is_not_punctuation(tmp_path: Path) -> None:
    assert [a.tones for a in join(tmp_path, {"a": "龘日？"}, {"a": "？仄？"}).poems] == ["？仄？"]
    assert join(tmp_path, {"a": "龘？日"}, {"a": "？仄？"}).skipped["punctuation"] == 1
