"""The cache of the learned tables, and the tables of the whole corpus where a copy is available."""

import json
from pathlib import Path

import pytest

from tangsweep.files import read_with_checksum, write_with_checksum
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
    tables = json.dumps({"tones": {"山": "仄", "月": "仄"}, "rhymes": {"山": "月"}}, ensure_ascii=False)
    write_with_checksum(path, tables.encode())
    whole, content = cached_prosody(), path.read_bytes()
    assert (whole.source, whole.tone("山")) == ("learned", "仄")
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        assert cached_prosody().source == "modern", bit
    assert "were changed since they were built" in str(vars(cached_prosody()))


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
    assert json.loads(read_with_checksum(cache_path()) or b"")["facts"] == facts
    assert ModernProsody().tone("白") == "平"  # an entering tone in Tang times, as in the learned table
    assert learned.tone("白") == "仄"
