"""Every poem satisfies its constraints, and an error is raised exactly where no poem could."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tangsweep.errors import UserError
from tangsweep.generation.constraints import Constraints, PoemSpec
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem_composer import PoemComposer
from tangsweep.generation.poem_start import PoemStart
from tangsweep.prosody.form import REGULAR_FORMS, Form
from tangsweep.prosody.lookup import LearnedProsody
from tests.generation.verses import CHARACTERS, is_possible, model, random_prosody, satisfies, vocabulary

FORMS = [*REGULAR_FORMS.values(), Form(5, 2), Form(7, 2)]
DECODINGS = [Decoding(0.0), Decoding(0.8), Decoding(30.0), Decoding(1.0, 2), Decoding(1.0, None, 0.5)]


@st.composite
def specs(draw: st.DrawFn) -> tuple[PoemSpec, LearnedProsody, str]:
    characters = CHARACTERS[: draw(st.integers(3, len(CHARACTERS)))]
    prosody = random_prosody(characters, draw(st.integers(0, 10_000)), draw(st.integers(1, 4)))
    tones = draw(st.sampled_from([None, "any", "pingqi", "zeqi"]))
    form = draw(st.sampled_from(FORMS if tones else [*FORMS, Form(1, 4), Form(3, 5)]))
    any_rhyme = [""] if form.lines > 3 or (tones and form.lines > 1) else []  # else there is nothing to rhyme
    rhyme = draw(st.sampled_from([None, *any_rhyme, *prosody.rhymes]))
    return PoemSpec(form, tones, rhyme), prosody, characters


@given(specs(), st.data())
@settings(max_examples=150)
def test_poems_satisfy_their_specification_or_no_poem_could(
    drawn: tuple[PoemSpec, LearnedProsody, str], data: st.DataObject
) -> None:
    """Random weights, vocabularies, tables, seeds, decodings and forced characters."""
    spec, prosody, characters = drawn
    positions = st.integers(0, spec.form.positions - 1)
    forced = data.draw(st.dictionaries(positions, st.sampled_from(characters), max_size=4))
    words = vocabulary(characters, data.draw(st.sampled_from(["", "，。", "，。□"])))
    start = PoemStart("", {p: words.encode(c)[0] for p, c in forced.items()})
    composer = PoemComposer(model(words, data.draw(st.integers(0, 5))), words, prosody)
    decoding = data.draw(st.sampled_from([*DECODINGS, Decoding(beam=3)]))
    seed = data.draw(st.integers(0, 100))
    if not is_possible(spec, prosody, characters, forced):
        with pytest.raises(UserError, match=r"line \d, character \d: "):
            composer.compose(spec, [start], decoding, seed)
        return
    [poems] = composer.compose(spec, [start, PoemStart("other", {})], decoding, seed, samples=2)[:1]
    assert 1 <= len(poems) <= 2
    for poem in poems:
        assert satisfies(poem, spec, prosody)
        whole = "".join(poem.bare_lines)
        assert all(whole[position] == character for position, character in forced.items())


@pytest.mark.parametrize("decoding", [Decoding(0.8), Decoding(beam=6)])
def test_alternatives_are_what_this_poem_could_have_had(decoding: Decoding) -> None:
    """Played again character by character: in a beam each row has its own past."""
    prosody = random_prosody(CHARACTERS, 7, groups=2)
    words = vocabulary()
    spec = PoemSpec(REGULAR_FORMS["wujue"], "any", "")
    for seed in range(3):
        composer = PoemComposer(model(words, seed), words, prosody, max_alternatives=len(words))
        [poems] = composer.compose(spec, [PoemStart("", {})], decoding, seed, samples=6)
        for poem in poems:
            row = Constraints(words, spec, prosody).start_poems([{}])
            for position, character in enumerate(poem.characters):
                could = {words.tokens[id] for id in row.allowed_ids(position)[0].nonzero()[:, 0].tolist()}
                assert {text for text, _ in character.alternatives} == could - {character.text}
                row.append(position, torch.tensor(words.encode(character.text)))


def test_a_forced_later_rhyme_is_not_used_before() -> None:
    prosody = LearnedProsody({}, {"日": "一", "月": "一"})
    words = vocabulary("日月山")
    last = {3: words.encode("月")[0]}
    for seed in range(10):
        composer = PoemComposer(model(words, seed), words, prosody)
        [[poem]] = composer.compose(
            PoemSpec(Form(1, 4), None, ""), [PoemStart("", last)], Decoding(1.0), seed
        )
        assert [line[0] for line in poem.lines][1::2] == ["日", "月"]


def test_feasibility_is_not_cached_across_forced_characters() -> None:
    """Two characters at one place, one of which the patterns forbid there."""
    prosody = LearnedProsody({**dict.fromkeys(CHARACTERS, "○"), "山": "平", "月": "仄"}, {})
    words = vocabulary()
    constraints = Constraints(words, PoemSpec(REGULAR_FORMS["wujue"], "zeqi"), prosody)
    assert constraints.is_feasible({1: words.encode("月")[0]})
    assert not constraints.is_feasible({1: words.encode("山")[0]})


def test_the_same_rhyme_is_never_used_twice_even_by_a_pattern_that_calls_it_free() -> None:
    """中 closes a first line of either tone; later rhymes must count on it in both readings."""
    prosody = LearnedProsody(
        {**dict.fromkeys("日山", "○"), "水": "仄", "花": "平"}, dict.fromkeys("日山花", "一")
    )
    words = vocabulary("日山水花")
    for seed in range(20):
        composer = PoemComposer(model(words, seed), words, prosody)
        spec = PoemSpec(REGULAR_FORMS["wujue"], "any", "")
        [[poem]] = composer.compose(spec, [PoemStart("", {})], Decoding(1.0), seed)
        assert satisfies(poem, spec, prosody)


def test_tones_and_rhymes_need_a_table() -> None:
    for spec in (PoemSpec(REGULAR_FORMS["wujue"], "any"), PoemSpec(REGULAR_FORMS["wujue"], None, "")):
        with pytest.raises(ValueError, match="needs a prosody table"):
            Constraints(vocabulary(), spec, None)
