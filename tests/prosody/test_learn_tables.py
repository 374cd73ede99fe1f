"""Tables learned from a few poems by hand, and from the whole corpus where it is at hand."""

import json
import random
from pathlib import Path

import pytest

from tangsweep.corpora.tang import Poem
from tangsweep.corpora.tone_annotation import AnnotatedPoem
from tangsweep.prosody import conformity, lookup, pinyin, rhymes, tones
from tangsweep.prosody.conformity import RuleCount
from tangsweep.prosody.form import REGULAR_FORMS
from tangsweep.prosody.lookup import LearnedProsody, ModernProsody
from tangsweep.prosody.pattern import regulated_patterns


def annotated(text: str, marks: str) -> AnnotatedPoem:
    return AnnotatedPoem(Poem("1", "", "", (text,)), text, marks)


def test_tones_are_learned_by_a_clear_majority() -> None:
    poems = [annotated("山中不，", "平○仄，")] * 18 + [annotated("山中不龘", "平平平？")] * 2
    table = tones.learn(poems)
    assert table == {
        "山": "平",
        "中": "○",
        "不": "仄",
    }  # 18 of 20 are clear, 2 of 20 a slip of the annotation
    assert tones.learn([*poems, annotated("不", "平")])["不"] == "○"


def test_agreement_counts_what_the_table_decides() -> None:
    found = tones.agreement(
        {"山": "平", "水": "仄", "中": "○"}, [annotated("山水中月，山？", "平平○仄，○？")]
    )
    # Six... the mark and the unknown one aside: 山 水 中 月 山; 月 is missing, 中 open, 山○ undecided.
    assert found == {"characters": 5, "known": 0.8, "either": 0.25, "agree": 0.5}


def test_line_ends_of_regular_poems_only() -> None:
    quatrain = Poem("1", "", "", ("白日依山盡，黃河入海流。", "欲窮千里目，更上一層樓。"))
    assert rhymes.line_ends(quatrain) == ["盡", "流", "目", "樓"]
    assert rhymes.line_ends(quatrain._replace(lines=quatrain.lines[:1])) is None
    assert rhymes.line_ends(quatrain._replace(lines=("白日依山盡，黃河入海。", *quatrain.lines[1:]))) is None
    assert rhymes.line_ends(quatrain._replace(lines=())) is None


def test_groups_are_those_that_close_lines_together() -> None:
    draw = random.Random(0)
    families = ["流樓秋洲愁", "人春塵新身"]
    poems = []
    for _ in range(200):
        family = draw.choice(families)
        a, b = draw.sample(family, 2)
        poems.append(["目", a, "日", b])
    groups = rhymes.learn(poems, resolution=1)
    assert {frozenset(c for c in groups if groups[c] == name) for name in groups.values()} == set(
        map(frozenset, families)
    )
    assert all(name in family for family in families for c in family for name in [groups[c]])
    errors = rhymes.errors(groups.get, poems)
    assert (errors["missed"], errors["unrhymed"], errors["covered"]) == (0, 0, 1)
    assert 0.3 < errors["strangers"] < 0.6  # two families: strangers share one half of the time
    nothing = rhymes.errors(lambda c: None, poems)
    assert (nothing["missed"], nothing["strangers"], nothing["covered"]) == (1, 0, 0)
    everything = rhymes.errors(lambda c: "one", poems)
    assert (everything["missed"], everything["strangers"], everything["unrhymed"]) == (0, 1, 1)


KNOWN = LearnedProsody(
    {**dict.fromkeys("白依山黃河流窮千樓層", "平"), **dict.fromkeys("日盡入海欲里目更上一", "仄")},
    {"流": "尤", "樓": "尤", "盡": "軫"},
)
LINES = ["白日依山盡", "黃河入海流", "欲窮千里目", "更上一層樓"]


def test_a_regulated_poem_conforms_wholly() -> None:
    """王之渙: 仄起, the first line unrhymed; 欲窮 departs from 中平平仄仄 nowhere that is bound."""
    [pattern] = [p for p in regulated_patterns(REGULAR_FORMS["wujue"]) if p.name == "仄起首句不入韻"]
    bound = sum(need != "中" for need in pattern.tones)
    assert conformity.count_tones(LINES, KNOWN) == RuleCount(bound, bound)
    assert conformity.count_rhymes(LINES, KNOWN) == RuleCount(1, 1)


def test_what_departs_is_counted() -> None:
    assert conformity.count_rhymes([*LINES[:3], "更上一層流"], KNOWN) == RuleCount(0, 1)  # the same character twice
    assert conformity.count_rhymes([*LINES[:3], "更上一層盡"], KNOWN) == RuleCount(0, 1)
    assert conformity.count_rhymes([*LINES[:3], "更上一層龘"], KNOWN) == RuleCount(0, 1)
    whole = conformity.count_tones(LINES, KNOWN)
    assert conformity.count_tones(["白白依山盡", *LINES[1:]], KNOWN) == RuleCount(whole.kept - 1, whole.of)
    assert conformity.count_tones(["白龘依山盡", *LINES[1:]], KNOWN) == RuleCount(whole.kept - 1, whole.of)
    assert conformity.count_tones(["日日依山盡", *LINES[1:]], KNOWN) == whole  # the first is free
    either = LearnedProsody({**KNOWN.tones, "日": "○"}, {})
    assert conformity.count_tones(LINES, either) == whole
    assert RuleCount(0, 0).share is None


def test_modern_where_nothing_can_be_had(home: Path) -> None:
    found = lookup.cached_prosody()
    assert (found.source, found.tone("山"), found.rhyme("山")) == ("modern", "平", "an")
    assert isinstance(found, ModernProsody)
    assert not (home / "data").exists()


def test_a_damaged_cache_is_no_table(home: Path) -> None:
    path = lookup._path()
    path.parent.mkdir(parents=True)
    for text in ("", "{", "[]", '{"tones": {}}', '{"other": 1}'):
        path.write_text(text, encoding="utf-8")
        assert lookup.cached_prosody().source == "modern"
    path.write_text(json.dumps({"tones": {"山": "平"}, "rhymes": {}}), encoding="utf-8")
    assert lookup.cached_prosody().tone("山") == "平"


def test_the_whole_corpus(tang_folder: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Held-out tenth: the tone table agrees with its annotation, learned rhymes beat modern finals."""
    found = lookup.load_or_build_tables(str(tang_folder))
    facts = found.facts
    with capsys.disabled():
        for name, figures in facts["held_out"].items():
            print("\nheld-out poems,", name, figures)
    agreement = facts["held_out"]["tones"]
    assert agreement["agree"] > 0.999
    assert agreement["known"] > 0.999
    assert agreement["either"] < 0.11
    assert facts["held_out"]["conformity"]["tones"] > 0.9  # real poems keep the rules, as the tables see it
    assert facts["held_out"]["conformity"]["rhyme"] > 0.94
    ours, theirs, finals = (facts["held_out"][name] for name in ("learned", "modern", "finals"))
    for other in (theirs, finals):
        assert ours["missed"] < other["missed"] / 5
        assert ours["strangers"] < other["strangers"]
        assert ours["unrhymed"] < other["unrhymed"] / 4
    assert sum(facts["skipped"].values()) + facts["poems"] == 57_607
    assert facts["skipped"]["unannotated"] == 0
    assert [found.tone(c) for c in "山月看"] == ["平", "仄", "○"]
    assert found.rhyme("流") == found.rhyme("樓") != found.rhyme("春")
    again = lookup.load_or_build_tables("/nowhere")  # from the cache, whatever the folder
    assert again == found
    assert lookup.cached_prosody() == found
    assert json.loads(lookup._path().read_text(encoding="utf-8"))["facts"] == facts
    assert pinyin.tone("白") == "平"  # modern: an entering tone of the Tang, which the learned table knows
    assert found.tone("白") == "仄"
