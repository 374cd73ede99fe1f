from tangsweep.prosody.conformity import RuleCount, count_rhymes, count_tones
from tangsweep.prosody.form import REGULAR_FORMS
from tangsweep.prosody.lookup import LearnedProsody
from tangsweep.prosody.pattern import regulated_patterns

PROSODY = LearnedProsody(
    {**dict.fromkeys("白依山黃河流窮千樓層", "平"), **dict.fromkeys("日盡入海欲里目更上一", "仄")},
    {"流": "尤", "樓": "尤", "盡": "軫"},
)
LINES = ["白日依山盡", "黃河入海流", "欲窮千里目", "更上一層樓"]


def test_a_regulated_poem_keeps_every_rule() -> None:
    """The poem by 王之渙: 仄起, its first line unrhymed; 欲 deviates only where 中平平仄仄 is free."""
    [pattern] = [p for p in regulated_patterns(REGULAR_FORMS["wujue"]) if p.name == "仄起首句不入韻"]
    bound = sum(need != "中" for need in pattern.tones)
    assert count_tones(LINES, PROSODY) == RuleCount(bound, bound)
    assert count_rhymes(LINES, PROSODY) == RuleCount(1, 1)


def test_deviations_are_counted() -> None:
    assert count_rhymes([*LINES[:3], "更上一層流"], PROSODY) == RuleCount(0, 1)  # the same character twice
    assert count_rhymes([*LINES[:3], "更上一層盡"], PROSODY) == RuleCount(0, 1)
    assert count_rhymes([*LINES[:3], "更上一層龘"], PROSODY) == RuleCount(0, 1)
    whole = count_tones(LINES, PROSODY)
    assert count_tones(["白白依山盡", *LINES[1:]], PROSODY) == RuleCount(whole.kept - 1, whole.of)
    assert count_tones(["白龘依山盡", *LINES[1:]], PROSODY) == RuleCount(whole.kept - 1, whole.of)
    assert count_tones(["日日依山盡", *LINES[1:]], PROSODY) == whole  # the first is free
    either = LearnedProsody({**PROSODY.tones, "日": "○"}, {})
    assert count_tones(LINES, either) == whole
    assert RuleCount(0, 0).share is None
