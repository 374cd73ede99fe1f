import json
from pathlib import Path

from tangsweep.corpora import tone_annotation


def written(folder: Path, name: str, entries: list[dict[str, object]]) -> Path:
    path = folder / name
    path.write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
    return path


def joined(tmp_path: Path, poems: dict[str, str], tones: dict[str, str]) -> tone_annotation.ToneAnnotation:
    texts = [{"id": id, "paragraphs": [text], "author": "", "title": ""} for id, text in poems.items()]
    marks = [{"id": id, "strains": [line]} for id, line in tones.items()]
    return tone_annotation.join_annotation(
        iter([(written(tmp_path, "poems.json", texts), written(tmp_path, "tones.json", marks))])
    )


def test_joined_by_id_and_fitted(tmp_path: Path) -> None:
    poems = {"a": "白日，", "b": "《山》[月]。", "c": "山月", "d": "山，月", "e": "何處？", "f": "山"}
    tones = {"f": "平", "e": "平仄。", "d": "平平，", "c": "平仄仄", "b": "平仄。", "a": "仄仄，"}
    found = joined(tmp_path, poems, {k: v for k, v in tones.items() if k != "f"})
    assert {a.poem.id: (a.text, a.tones) for a in found.poems} == {
        "a": ("白日，", "仄仄，"),
        "b": ("山月。", "平仄。"),  # signs of editors, whom the annotation does not know
        "e": ("何處？", "平仄。"),
    }
    assert found.skipped == {"unannotated": 1, "length": 1, "punctuation": 1}


def test_an_unknown_tone_is_no_punctuation(tmp_path: Path) -> None:
    assert [a.tones for a in joined(tmp_path, {"a": "龘日？"}, {"a": "？仄？"}).poems] == ["？仄？"]
    assert joined(tmp_path, {"a": "龘？日"}, {"a": "？仄？"}).skipped["punctuation"] == 1
