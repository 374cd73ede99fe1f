"""Compare the patterns with quatrains written out by hand, and with the rules that they come from."""

import pytest

from tangsweep.errors import UserError
from tangsweep.prosody.form import REGULAR_FORMS, Form
from tangsweep.prosody.pattern import FREE, LEVEL, OBLIQUE, free_pattern, regulated_patterns

BY_HAND = {
    "wujue": {
        "仄起首句不入韻": "中仄平平仄，平平仄仄平。中平平仄仄，中仄仄平平。",
        "平起首句不入韻": "中平平仄仄，中仄仄平平。中仄平平仄，平平仄仄平。",
        "仄起首句入韻": "中仄仄平平，平平仄仄平。中平平仄仄，中仄仄平平。",
        "平起首句入韻": "平平仄仄平，中仄仄平平。中仄平平仄，平平仄仄平。",
    },
    "qijue": {
        "平起首句不入韻": "中平中仄平平仄，中仄平平仄仄平。中仄中平平仄仄，中平中仄仄平平。",
        "仄起首句不入韻": "中仄中平平仄仄，中平中仄仄平平。中平中仄平平仄，中仄平平仄仄平。",
        "平起首句入韻": "中平中仄仄平平，中仄平平仄仄平。中仄中平平仄仄，中平中仄仄平平。",
        "仄起首句入韻": "中仄平平仄仄平，中平中仄仄平平。中平中仄平平仄，中仄平平仄仄平。",
    },
}


@pytest.mark.parametrize("name", BY_HAND)
def test_quatrains_as_written_out_by_hand(name: str) -> None:
    patterns = {pattern.name: pattern.tones for pattern in regulated_patterns(REGULAR_FORMS[name])}
    expected = {n: text.replace("，", "").replace("。", "") for n, text in BY_HAND[name].items()}
    assert patterns == expected


@pytest.mark.parametrize("form", [*REGULAR_FORMS.values(), Form(7, 12)])
def test_every_pattern_keeps_the_rules(form: Form) -> None:
    for pattern in regulated_patterns(form):
        lines = [pattern.tones[n * form.chars :][: form.chars] for n in range(form.lines)]
        for number, line in enumerate(lines):
            assert line[-1] == (LEVEL if number in pattern.rhymed else OBLIQUE)
            assert line[-3:] not in ("平平平", "仄仄仄")
            assert line[1] != FREE
            assert line[-2] != FREE
        for number in range(0, form.lines, 2):  # 對: within a couplet the second characters differ
            assert lines[number][1] != lines[number + 1][1]
        for number in range(1, form.lines - 1, 2):  # 粘: from couplet to couplet they agree
            assert lines[number][1] == lines[number + 1][1]
        assert set(pattern.rhymed) - {0} == set(range(1, form.lines, 2))
        assert ("入韻" in pattern.name and "不" not in pattern.name) == (0 in pattern.rhymed)


def test_a_second_half_repeats_the_unrhymed_first() -> None:
    four = {p.name: p.tones for p in regulated_patterns(REGULAR_FORMS["wujue"])}
    for pattern in regulated_patterns(REGULAR_FORMS["wulu"]):
        assert pattern.tones[:20] == four[pattern.name]
        assert (
            pattern.tones[20:] == four[pattern.name.replace("首句入韻", "首句不入韻")] or 0 in pattern.rhymed
        )


def test_openings() -> None:
    assert {p.name[:2] for p in regulated_patterns(REGULAR_FORMS["qilu"], "pingqi")} == {"平起"}
    assert {p.name[:2] for p in regulated_patterns(REGULAR_FORMS["qilu"], "zeqi")} == {"仄起"}
    assert (
        len(regulated_patterns(REGULAR_FORMS["qilu"], "pingqi"))
        + len(regulated_patterns(REGULAR_FORMS["qilu"], "zeqi"))
        == 4
    )


@pytest.mark.parametrize("form", [Form(6, 4), Form(5, 3), Form(4, 4)])
def test_forms_without_patterns(form: Form) -> None:
    with pytest.raises(UserError, match="tone patterns are known for lines of 5 and 7"):
        regulated_patterns(form)


def test_without_tones_every_second_line_rhymes() -> None:
    assert free_pattern(Form(4, 5)).rhymed == (1, 3)
    assert set(free_pattern(Form(4, 5)).tones) == {FREE}
