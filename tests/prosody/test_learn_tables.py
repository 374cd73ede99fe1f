"""Tables learned from a few poems."""

import random

from tangsweep.corpora.tang import Poem
from tangsweep.corpora.tone_annotation import AnnotatedPoem
from tangsweep.prosody.tables import learn_rhymes, learn_tones, line_ends, rhyme_errors, tone_agreement


def annotated(text: str, marks: str) -> AnnotatedPoem:
    return AnnotatedPoem(Poem("1", "", "", (text,)), text, marks)


def test_tones_are_learned_by_a_clear_majority() -> None:
    poems = [annotated("山中不，", "平○仄，")] * 18 + [annotated("山中不龘", "平平平？")] * 2
    table = learn_tones(poems)
    assert table == {"山": "平", "中": "○", "不": "仄"}  # 18 of 20 are a clear majority
    assert learn_tones([*poems, annotated("不", "平")])["不"] == "○"


def test_agreement_counts_what_the_table_decides() -> None:
    agreement = tone_agreement(
        {"山": "平", "水": "仄", "中": "○"}, [annotated("山水中月，山？", "平平○仄，○？")]
    )
    # Without punctuation and the unknown tone, 山 水 中 月 山 remain; 月 is missing, 中 is of either tone, and
    # the annotation of the last 山 does not decide.
    assert agreement == {"characters": 5, "known": 0.8, "either": 0.25, "agree": 0.5}


def test_line_ends_of_regular_poems_only() -> None:
    quatrain = Poem("1", "", "", ("白日依山盡，黃河入海流。", "欲窮千里目，更上一層樓。"))
    assert line_ends(quatrain) == ["盡", "流", "目", "樓"]
    assert line_ends(quatrain._replace(lines=quatrain.lines[:1])) is None
    assert line_ends(quatrain._replace(lines=("白日依山盡，黃河入海。", *quatrain.lines[1:]))) is None
    assert line_ends(quatrain._replace(lines=())) is None


def test_characters_that_close_lines_together_form_a_group() -> None:
    generator = random.Random(0)
    families = ["流樓秋洲愁", "人春塵新身"]
    poems = []
    for _ in range(200):
        family = generator.choice(families)
        a, b = generator.sample(family, 2)
        poems.append(["目", a, "日", b])
    groups = learn_rhymes(poems, resolution=1)
    assert {frozenset(c for c in groups if groups[c] == name) for name in groups.values()} == set(
        map(frozenset, families)
    )
    assert all(name in family for family in families for c in family for name in [groups[c]])
    errors = rhyme_errors(groups.get, poems)
    assert (errors["missed"], errors["unrhymed"], errors["covered"]) == (0, 0, 1)
    assert 0.3 < errors["strangers"] < 0.6  # two families: strangers share one half of the time
    nothing = rhyme_errors(lambda c: None, poems)
    assert (nothing["missed"], nothing["strangers"], nothing["covered"]) == (1, 0, 0)
    everything = rhyme_errors(lambda c: "one", poems)
    assert (everything["missed"], everything["strangers"], everything["unrhymed"]) == (0, 1, 1)
