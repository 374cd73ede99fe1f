"""Every constraint holds in every poem, and an error is raised exactly where no poem could keep it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tangsweep.errors import UserError
from tangsweep.generation.constraints import Constraints, Wish
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem_start import Beginning, Reader
from tangsweep.generation.poet import Poet
from tangsweep.prosody.form import NAMED, Form
from tangsweep.prosody.lookup import Learned
from tests.generation.verses import CHARACTERS, keeps, made_up, model, possible, vocabulary

FORMS = [*NAMED.values(), Form(5, 2), Form(7, 2)]
DECODINGS = [Decoding(0.0), Decoding(0.8), Decoding(30.0), Decoding(1.0, 2), Decoding(1.0, None, 0.5)]


@st.composite
def wishes(draw: st.DrawFn) -> tuple[Wish, Learned, str]:
    characters = CHARACTERS[: draw(st.integers(3, len(CHARACTERS)))]
    known = made_up(characters, draw(st.integers(0, 10_000)), draw(st.integers(1, 4)))
    tones = draw(st.sampled_from([None, "any", "pingqi", "zeqi"]))
    form = draw(st.sampled_from(FORMS if tones else [*FORMS, Form(1, 4), Form(3, 5)]))
    any_rhyme = [""] if form.lines > 3 or (tones and form.lines > 1) else []  # else there is nothing to rhyme
    rhyme = draw(st.sampled_from([None, *any_rhyme, *known.rhymes]))
    return Wish(form, tones, rhyme), known, characters


@given(wishes(), st.data())
@settings(max_examples=150)
def test_poems_keep_what_was_wished_for_or_nothing_could(
    wished: tuple[Wish, Learned, str], data: st.DataObject
) -> None:
    """Random weights, vocabularies, tables, seeds, ways to choose, and characters that are given."""
    wish, known, characters = wished
    positions = st.integers(0, wish.form.positions - 1)
    forced = data.draw(st.dictionaries(positions, st.sampled_from(characters), max_size=4))
    words = vocabulary(characters, data.draw(st.sampled_from(["", "，。", "，。□"])))
    beginning = Beginning("", {p: words.encode(c)[0] for p, c in forced.items()})
    poet = Poet(model(words, data.draw(st.integers(0, 5))), words, known)
    decoding = data.draw(st.sampled_from([*DECODINGS, Decoding(beam=3)]))
    seed = data.draw(st.integers(0, 100))
    if not possible(wish, known, characters, forced):
        with pytest.raises(UserError, match=r"line \d, character \d: "):
            poet.compose(wish, [beginning], decoding, seed)
        return
    [poems] = poet.compose(wish, [beginning, Beginning("other", {})], decoding, seed, samples=2)[:1]
    assert 1 <= len(poems) <= 2
    for poem in poems:
        assert keeps(poem, wish, known)
        whole = "".join(poem.bare_lines)
        assert all(whole[position] == character for position, character in forced.items())


@pytest.mark.parametrize("decoding", [Decoding(0.8), Decoding(beam=6)])
def test_alternatives_are_what_this_poem_could_have_had(decoding: Decoding) -> None:
    """Played again character by character: in a beam each row has its own past."""
    known = made_up(CHARACTERS, 7, groups=2)
    words = vocabulary()
    wish = Wish(NAMED["wujue"], "any", "")
    for seed in range(3):
        poet = Poet(model(words, seed), words, known, shown=len(words))
        [poems] = poet.compose(wish, [Beginning("", {})], decoding, seed, samples=6)
        for poem in poems:
            row = Constraints(words, wish, known).begin([{}])
            for position, character in enumerate(poem.characters):
                could = {words.tokens[id] for id in row.allowed(position)[0].nonzero()[:, 0].tolist()}
                assert {text for text, _ in character.alternatives} == could - {character.text}
                row.chosen(position, torch.tensor(words.encode(character.text)))


def test_a_rhyme_that_comes_later_is_spoken_for() -> None:
    known = Learned({}, {"日": "一", "月": "一"})
    words = vocabulary("日月山")
    last = {3: words.encode("月")[0]}
    for seed in range(10):
        poet = Poet(model(words, seed), words, known)
        [[poem]] = poet.compose(Wish(Form(1, 4), None, ""), [Beginning("", last)], Decoding(1.0), seed)
        assert [line[0] for line in poem.lines][1::2] == ["日", "月"]


def test_what_is_possible_for_one_poem_is_not_taken_for_another() -> None:
    """Two characters at one place, one of which the patterns forbid there."""
    known = Learned({**dict.fromkeys(CHARACTERS, "○"), "山": "平", "月": "仄"}, {})
    words = vocabulary()
    constraints = Constraints(words, Wish(NAMED["wujue"], "zeqi"), known)
    constraints.check({1: words.encode("月")[0]})
    with pytest.raises(UserError, match="山 is level"):
        constraints.check({1: words.encode("山")[0]})


def test_the_same_rhyme_is_never_used_twice_even_by_a_pattern_that_calls_it_free() -> None:
    """中 closes a first line of either tone; later rhymes must count on it in both readings."""
    known = Learned({**dict.fromkeys("日山", "○"), "水": "仄", "花": "平"}, dict.fromkeys("日山花", "一"))
    words = vocabulary("日山水花")
    for seed in range(20):
        poet = Poet(model(words, seed), words, known)
        wish = Wish(NAMED["wujue"], "any", "")
        [[poem]] = poet.compose(wish, [Beginning("", {})], Decoding(1.0), seed)
        assert keeps(poem, wish, known)


def reason(wish: Wish, known: Learned, forced: dict[int, str], characters: str = CHARACTERS) -> str:
    words = vocabulary(characters)
    with pytest.raises(UserError) as raised:
        Constraints(words, wish, known).check({p: words.encode(c)[0] for p, c in forced.items()})
    return str(raised.value)


EVERY = Learned(dict.fromkeys(CHARACTERS, "○"), dict.fromkeys(CHARACTERS, "一"))


def test_reasons_name_the_place_and_the_remedy() -> None:
    level = Learned({**EVERY.tones, "山": "平"}, EVERY.rhymes)
    pingqi = Wish(NAMED["wujue"], "pingqi")
    assert reason(pingqi, level, {6: "山"}) == (
        "五絕, line 2, character 2: 山 is level (平), but 平起首句不入韻 wants one that is oblique (仄) there; "
        "no tone pattern gets further: choose other characters, or ask for no tones"
    )
    unknown = Learned({c: t for c, t in EVERY.tones.items() if c != "山"}, {})
    assert "山 is of unknown tone" in reason(pingqi, unknown, {6: "山"})
    all_level = Learned(dict.fromkeys(CHARACTERS, "平"), {})
    assert "line 1, character 4: the vocabulary has no oblique (仄) character" in reason(
        pingqi, all_level, {}
    )


def test_reasons_of_rhymes() -> None:
    form = Form(3, 6)
    assert "山 closes a rhymed line already" in reason(Wish(form, None, ""), EVERY, {5: "山", 11: "山"})
    two = Learned({}, {**EVERY.rhymes, "水": "二"})
    assert "line 4, character 3: 水 does not rhyme with 山" in reason(
        Wish(form, None, ""), two, {5: "山", 11: "水"}
    )
    assert "水 does not rhyme with 山" in reason(Wish(form, None, "山"), two, {5: "水"})
    none = Learned({}, {c: "一" for c in CHARACTERS if c != "山"})
    assert "no rhyme is known for 山" in reason(Wish(form, None, ""), none, {5: "山"})
    few = Learned({}, {"日": "一", "月": "一"})
    assert (
        "line 6, character 3: 3 different characters that rhyme with each other are wanted, and the "
        "vocabulary has 2: choose other characters, or ask for no rhyme"
        in reason(Wish(form, None, ""), few, {})
    )
    assert "2 different characters that rhyme with 日 are wanted, and the vocabulary has 1" in reason(
        Wish(form, None, ""), few, {5: "日"}
    )
    with pytest.raises(UserError, match="no rhyme is known for 龘"):
        Constraints(vocabulary(), Wish(form, None, "龘"), EVERY)


@pytest.mark.parametrize(
    ("form", "rhyme"), [(Form(5, 1), ""), (Form(5, 1), "日"), (Form(5, 2), ""), (Form(5, 3), "")]
)
def test_where_no_two_lines_rhyme_none_can_be_asked_to(form: Form, rhyme: str) -> None:
    assert "no two rhyme: ask for more lines" in reason(Wish(form, None, rhyme), EVERY, {})


def test_an_earlier_break_of_a_rhyme_is_told_before_a_later_one_of_a_tone() -> None:
    known = Learned({**EVERY.tones, "山": "平"}, {**EVERY.rhymes, "水": "二"})
    forced = {9: "水", 16: "山"}
    told = reason(Wish(NAMED["wujue"], "pingqi", "日"), known, forced)
    assert "line 2, character 5: 水 does not rhyme with 日" in told


def test_tones_and_rhymes_need_a_table() -> None:
    for wish in (Wish(NAMED["wujue"], "any"), Wish(NAMED["wujue"], None, "")):
        with pytest.raises(ValueError, match="which characters have which"):
            Constraints(vocabulary(), wish, None)


def test_a_vocabulary_without_characters() -> None:
    assert "the vocabulary has no character that can stand in a line" in reason(
        Wish(Form(5, 4)), EVERY, {}, ""
    )


def test_acrostics() -> None:
    words = vocabulary()
    poet = Poet(model(words), words)
    form = NAMED["qijue"]
    [[poem]] = poet.compose(Wish(form), [Reader(words).acrostic("春夏秋冬", form)], Decoding(0.8), 0)
    assert [line[0] for line in poem.lines] == ["春", "夏", "秋", "冬"]
    for text, more in (("春夏秋", "fewer"), ("春夏秋冬春", "more")):
        with pytest.raises(UserError, match=f"has {more} characters .* than the poem has lines"):
            Reader(words).acrostic(text, form)
    reader = Reader(words, skip=True)
    assert reader.acrostic("春龘秋冬", form).ids.keys() == {0, 14, 21}
    assert reader.skipped == ["龘"]
