"""Errors name the position at which no poem can satisfy its constraints, and the remedy."""

import pytest

from tangsweep.errors import UserError
from tangsweep.generation.constraints import Constraints, PoemSpec
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem_composer import PoemComposer
from tangsweep.generation.poem_start import PoemStart
from tangsweep.prosody.form import REGULAR_FORMS, Form
from tangsweep.prosody.lookup import LearnedProsody
from tests.generation.verses import CHARACTERS, model, vocabulary


def reason(
    spec: PoemSpec, prosody: LearnedProsody, forced: dict[int, str], characters: str = CHARACTERS
) -> str:
    """Return the message of the error that composing raises."""
    words = vocabulary(characters)
    start = PoemStart("", {p: words.encode(c)[0] for p, c in forced.items()})
    with pytest.raises(UserError) as raised:
        PoemComposer(model(words), words, prosody).compose(spec, [start], Decoding(), 0)
    return str(raised.value)


ANY_TONE_ONE_RHYME = LearnedProsody(dict.fromkeys(CHARACTERS, "○"), dict.fromkeys(CHARACTERS, "一"))


def test_reasons_name_the_place_and_the_remedy() -> None:
    level = LearnedProsody({**ANY_TONE_ONE_RHYME.tones, "山": "平"}, ANY_TONE_ONE_RHYME.rhymes)
    pingqi = PoemSpec(REGULAR_FORMS["wujue"], "pingqi")
    assert reason(pingqi, level, {6: "山"}) == (
        "五絕, line 2, character 2: 山 is level (平), but 平起首句不入韻 wants one that is oblique (仄) there; "
        "no tone pattern gets further: choose other characters, or ask for no tones"
    )
    unknown = LearnedProsody({c: t for c, t in ANY_TONE_ONE_RHYME.tones.items() if c != "山"}, {})
    assert "山 is of unknown tone" in reason(pingqi, unknown, {6: "山"})
    all_level = LearnedProsody(dict.fromkeys(CHARACTERS, "平"), {})
    assert "line 1, character 4: the vocabulary has no oblique (仄) character" in reason(
        pingqi, all_level, {}
    )


def test_reasons_of_rhymes() -> None:
    form = Form(3, 6)
    assert "山 closes a rhymed line already" in reason(
        PoemSpec(form, None, ""), ANY_TONE_ONE_RHYME, {5: "山", 11: "山"}
    )
    two = LearnedProsody({}, {**ANY_TONE_ONE_RHYME.rhymes, "水": "二"})
    assert "line 4, character 3: 水 does not rhyme with 山" in reason(
        PoemSpec(form, None, ""), two, {5: "山", 11: "水"}
    )
    assert "水 does not rhyme with 山" in reason(PoemSpec(form, None, "山"), two, {5: "水"})
    none = LearnedProsody({}, {c: "一" for c in CHARACTERS if c != "山"})
    assert "no rhyme is known for 山" in reason(PoemSpec(form, None, ""), none, {5: "山"})
    few = LearnedProsody({}, {"日": "一", "月": "一"})
    assert (
        "line 6, character 3: 3 different characters that rhyme with each other are wanted, and the "
        "vocabulary has 2: choose other characters, or ask for no rhyme"
        in reason(PoemSpec(form, None, ""), few, {})
    )
    assert "2 different characters that rhyme with 日 are wanted, and the vocabulary has 1" in reason(
        PoemSpec(form, None, ""), few, {5: "日"}
    )
    with pytest.raises(UserError, match="no rhyme is known for 龘"):
        Constraints(vocabulary(), PoemSpec(form, None, "龘"), ANY_TONE_ONE_RHYME)


@pytest.mark.parametrize(
    ("form", "rhyme"), [(Form(5, 1), ""), (Form(5, 1), "日"), (Form(5, 2), ""), (Form(5, 3), "")]
)
def test_a_form_in_which_no_two_lines_rhyme_is_refused(form: Form, rhyme: str) -> None:
    assert "no two rhyme: ask for more lines" in reason(PoemSpec(form, None, rhyme), ANY_TONE_ONE_RHYME, {})


def test_an_earlier_rhyme_violation_is_reported_before_a_later_tone_violation() -> None:
    prosody = LearnedProsody(
        {**ANY_TONE_ONE_RHYME.tones, "山": "平"}, {**ANY_TONE_ONE_RHYME.rhymes, "水": "二"}
    )
    forced = {9: "水", 16: "山"}
    message = reason(PoemSpec(REGULAR_FORMS["wujue"], "pingqi", "日"), prosody, forced)
    assert "line 2, character 5: 水 does not rhyme with 日" in message


def test_a_vocabulary_without_characters() -> None:
    assert "the vocabulary has no character that can stand in a line" in reason(
        PoemSpec(Form(5, 4)), ANY_TONE_ONE_RHYME, {}, ""
    )
