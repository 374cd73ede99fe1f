"""Poems from random weights: form, repetition, beams, and the model's own opinion of them."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tangsweep.corpora.vocabulary import BOS, EOS
from tangsweep.errors import UserError
from tangsweep.generation.constraints import Wish
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem import Poem
from tangsweep.generation.poem_start import Beginning, Reader
from tangsweep.generation.poet import Poet
from tangsweep.prosody.form import Form
from tests.generation.verses import CHARACTERS, keeps, made_up, model, vocabulary

NONE = made_up("", 0)


def poet(marks: str = "，。？□[1", seed: int = 0, characters: str = CHARACTERS, shown: int = 0) -> Poet:
    words = vocabulary(characters, marks)
    return Poet(model(words, seed), words, None, shown)


def composed(made: Poet, form: Form, starts: list[str], temperature: float, seed: int) -> list[Poem]:
    begun = [Reader(made.vocabulary).start(start, form) for start in starts]
    return [poem for [poem] in made.compose(Wish(form), begun, Decoding(temperature), seed)]


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([0.0, 1e-3, 1.0, 50.0]),
    st.integers(0, 5),
    st.sampled_from(["，。？□[1", "□", "。"]),
)
@settings(max_examples=60)
def test_every_line_has_its_number_of_characters(
    chars: int, lines: int, temperature: float, seed: int, marks: str
) -> None:
    form = Form(chars, lines)
    for poem in composed(poet(marks, seed), form, ["山", "月"], temperature, seed):
        assert keeps(poem, Wish(form), NONE)


def test_starts_are_kept_and_converted() -> None:
    poems = composed(poet(), Form(5, 2), ["红", "海月"], 0.8, 1)
    assert [poem.lines[0][: len(s)] for poem, s in zip(poems, ["紅", "海月"], strict=True)] == ["紅", "海月"]


def test_a_whole_first_line_may_bring_its_mark() -> None:
    made = poet()
    for start in ("日山夜湖海", "日山夜湖海，"):
        assert composed(made, Form(5, 4), [start], 0.8, 0)[0].lines[0] == "日山夜湖海，"


def test_equal_seeds_give_equal_poems_whatever_their_neighbours() -> None:
    made = poet()
    [alone] = composed(made, Form(7, 4), ["山"], 0.8, 3)
    assert composed(made, Form(7, 4), ["月", "山"], 0.8, 3)[1].text == alone.text
    assert composed(made, Form(7, 4), ["山"], 0.8, 4)[0].text != alone.text
    many = made.compose(
        Wish(Form(7, 4)), [Reader(made.vocabulary).start("山", Form(7, 4))], Decoding(0.8), 3, 300
    )
    assert alone.text in [poem.text for poem in many[0]]
    assert len({poem.text for poem in many[0]}) > 290


def test_samples_are_ranked_by_the_models_own_score() -> None:
    made = poet()
    heard: list[int] = []
    begun = [Beginning(str(n), {}) for n in range(200)]
    groups = made.compose(Wish(Form(3, 2)), begun, Decoding(1.0), 0, samples=3, tell=heard.append)
    assert [len(group) for group in groups] == [3] * 200
    assert all(a.perplexity <= b.perplexity for group in groups for a, b in itertools.pairwise(group))
    assert heard == sorted(heard) and heard[-1] == 200 and len(heard) > 1


@pytest.mark.parametrize("marks", ["，。", ""])
def test_a_poem_costs_what_the_model_says_of_its_text(marks: str) -> None:
    """As an evaluation counts: every character and mark, and <eos>; the prompt is read and not counted."""
    made = poet(marks, shown=4)
    words = made.vocabulary
    for prompt in ((), tuple(words.encode("日月"))):
        begun = Reader(words).start("山", Form(5, 4))
        [[poem]] = made.compose(Wish(Form(5, 4), prompt=prompt), [begun], Decoding(0.8), 1)
        text = words.encode("".join(c for c in "".join(poem.lines) if c in words))
        ids = [BOS, *prompt, *text, EOS]
        targets = torch.tensor([[-1] * len(prompt) + ids[1 + len(prompt) :]])
        hits, _ = made.model.score(torch.tensor([ids[:-1]]), targets)
        assert poem.scored == len(text) + 1
        assert poem.nats == pytest.approx(hits.nats.sum().item(), rel=1e-5)
        assert poem.perplexity == pytest.approx(math.exp(hits.nats.double().mean().item()), rel=1e-5)
        logits, _ = made.model(torch.tensor([ids[:-1]]))
        chances = logits[0].softmax(-1)
        first = 1 + len(prompt)
        assert poem.characters[0].probability == pytest.approx(
            chances[first - 1, ids[first]].item(), rel=1e-4
        )


def test_alternatives_are_the_strongest_that_could_stand_there() -> None:
    made = poet(shown=3)
    [poem] = composed(made, Form(4, 1), ["山"], 0.8, 0)
    words = made.vocabulary
    assert poem.characters[0].alternatives == ()  # nothing else could stand where 山 was asked for
    logits, _ = made.model(torch.tensor([[BOS, *words.encode("山")]]))
    chances = logits[0, -1].softmax(-1)
    expected = sorted(words.encode(CHARACTERS), key=lambda id: -chances[id])[:3]
    chosen = poem.characters[1]
    others = [id for id in expected if words.tokens[id] != chosen.text]
    assert [text for text, _ in chosen.alternatives] == [words.tokens[id] for id in others]
    assert [p for _, p in chosen.alternatives] == pytest.approx(
        [chances[id].item() for id in others], rel=1e-4
    )


def test_greedy_takes_the_likeliest_permitted_character() -> None:
    made = poet()
    [poem] = composed(made, Form(3, 1), ["山"], 0, 0)
    ids = [BOS, *made.vocabulary.encode("山")]
    for position in (1, 2):
        logits = made.model(torch.tensor([ids]))[0][0, -1]
        best = max(made.vocabulary.encode(CHARACTERS), key=lambda i: logits[i].item())
        assert poem.lines[0][position] == made.vocabulary.tokens[best]
        ids.append(best)
    [[beam]] = made.compose(
        Wish(Form(3, 1)), [Reader(made.vocabulary).start("山", Form(3, 1))], Decoding(beam=1), 0
    )
    assert beam.text == poem.text


def test_a_beam_as_wide_as_all_texts_finds_the_likeliest() -> None:
    characters = "日山月"
    made, form = poet(characters=characters), Form(3, 1)
    found = made.compose(Wish(form), [Beginning("", {})], Decoding(beam=27), 0, samples=27)[0]
    assert len({poem.text for poem in found}) == 27
    words = made.vocabulary
    costs = {}
    for text in map("".join, itertools.product(characters, repeat=3)):
        ids = [BOS, *words.encode(text + "。"), EOS]
        hits, _ = made.model.score(torch.tensor([ids[:-1]]), torch.tensor([ids[1:]]))
        costs[text] = hits.nats.double().sum().item()
    assert [poem.bare_lines[0] for poem in found] == sorted(costs, key=costs.__getitem__)
    assert [poem.nats for poem in found] == pytest.approx(sorted(costs.values()), rel=1e-5)


def test_a_narrow_beam_may_find_fewer_than_it_is_wide() -> None:
    made, form = poet(characters="日山"), Form(1, 1)
    begun = [Beginning("free", {}), Beginning("given", {0: made.vocabulary.encode("日")[0]})]
    free, given = made.compose(Wish(form), begun, Decoding(beam=5), 0, samples=5)
    assert sorted(poem.text for poem in free) == ["山。", "日。"]
    assert [poem.text for poem in given] == ["日。"]


def test_a_model_that_overflows_still_composes() -> None:
    made = poet()
    with torch.no_grad():
        made.model.output.weight.fill_(math.inf)
    for decoding in (Decoding(0.0), Decoding(0.8), Decoding(beam=3)):
        [[poem]] = made.compose(Wish(Form(5, 4)), [Beginning("", {})], decoding, 0)
        assert keeps(poem, Wish(Form(5, 4)), NONE)
        assert math.isfinite(poem.perplexity)


def test_errors_name_the_character() -> None:
    with pytest.raises(UserError, match=r"^龍、龘 does not occur"):
        Reader(poet().vocabulary).start("山龙龘", Form(5, 4))
    with pytest.raises(UserError, match="longer than a line of 2"):
        Reader(poet().vocabulary).start("山月水", Form(2, 4))
    with pytest.raises(UserError, match=r"， is no character of a line"):
        Reader(poet().vocabulary).start("山，", Form(5, 4))
    reader = Reader(poet().vocabulary, skip=True)
    assert reader.start("山龙月", Form(5, 4)).name == "山月"
    assert reader.prompt("龙日，") == tuple(poet().vocabulary.encode("日，"))
    assert reader.skipped == ["龍"]


def test_printed_a_couplet_a_line() -> None:
    poem = composed(poet(), Form(1, 3), ["日"], 0.8, 0)[0]
    first, second, third = poem.lines
    assert poem.text == f"{first}{second}\n{third}"
