"""The cache of the learned tables, and the tables of the whole corpus where a copy is available."""

import json
from pathlib import Path

import pytest

from tangsweep.prosody.lookup import ModernProsody
from tangsweep.prosody.tables import cache_path, cached_prosody, load_or_build_tables


def test_modern_readings_without_a_cache(home: Path) -> None:
    prosody = cached_prosody()
    assert (prosody.source, prosody.tone("山"), prosody.rhyme("山")) == ("modern", "平", "an")
    assert isinstance(prosody, ModernProsody)
    assert not (home / "data").exists()


def test_a_damaged_cache_is_ignored(home: Path) -> None:
    path = cache_path()
    path.parent.mkdir(parents=True)
    for text in ("", "{", "[]", '{"tones": {}}', '{"other": 1}'):
        path.write_text(text, encoding="utf-8")
        assert cached_prosody().source == "modern"
    path.write_text(json.dumps({"tones": {"山": "平"}, "rhymes": {}}), encoding="utf-8")
    assert cached_prosody().tone("山") == "平"


def test_the_whole_corpus(tang_folder: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the held-out tenth, the tone table agrees with the annotation and learned rhymes beat modern finals."""
    learned = load_or_build_tables(str(tang_folder))
    facts = learned.facts
    with capsys.disabled():
        for name, figures in facts["held_out"].items():
            print("\nheld-out poems,", name, figures)
    agreement = facts["held_out"]["tones"]
    assert agreement["agree"] > 0.999
    assert agreement["known"] > 0.999
    assert agreement["either"] < 0.11
    assert facts["held_out"]["conformity"]["tones"] > 0.9  # real poems keep the rules
    assert facts["held_out"]["conformity"]["rhyme"] > 0.94
    ours, modern, finals = (facts["held_out"][name] for name in ("learned", "modern", "finals"))
    for other in (modern, finals):
        assert ours["missed"] < other["missed"] / 5
        assert ours["strangers"] < other["strangers"]
        assert ours["unrhymed"] < other["unrhymed"] / 4
    assert sum(facts["skipped"].values()) + facts["poems"] == 57_607
    assert facts["skipped"]["unannotated"] == 0
    assert [learned.tone(c) for c in "山月看"] == ["平", "仄", "○"]
    assert learned.rhyme("流") == learned.rhyme("樓") != learned.rhyme("春")
    again = load_or_build_tables("/nowhere")  # read from the cache
    assert again == learned
    assert cached_prosody() == learned
    assert json.loads(cache_path().read_text(encoding="utf-8"))["facts"] == facts
    assert ModernProsody().tone("白") == "平"  # an entering tone in Tang times, as in the learned table
    assert learned.tone("白") == "仄"
