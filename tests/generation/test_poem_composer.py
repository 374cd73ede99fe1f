"""Poems from random weights: their form, reproducibility, beams and costs."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tangsweep.corpora.vocabulary import BOS, EOS
from tangsweep.generation.constraints import PoemSpec
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem import GeneratedPoem
from tangsweep.generation.poem_composer import PoemComposer
from tangsweep.generation.poem_start import PoemStart, StartEncoder
from tangsweep.prosody.form import Form
from tests.generation.verses import CHARACTERS, model, random_prosody, satisfies, vocabulary

NO_PROSODY = random_prosody("", 0)


def random_composer(
    marks: str = "，。？□[1", seed: int = 0, characters: str = CHARACTERS, max_alternatives: int = 0
) -> PoemComposer:
    words = vocabulary(characters, marks)
    return PoemComposer(model(words, seed), words, None, max_alternatives)


def compose(
    composer: PoemComposer, form: Form, starts: list[str], temperature: float, seed: int
) -> list[GeneratedPoem]:
    encoder = StartEncoder(composer.vocabulary)
    encoded = [encoder.encode_start(start, form) for start in starts]
    return [poem for [poem] in composer.compose(PoemSpec(form), encoded, Decoding(temperature), seed)]


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
    for poem in compose(random_composer(marks, seed), form, ["山", "月"], temperature, seed):
        assert satisfies(poem, PoemSpec(form), NO_PROSODY)


def test_starts_are_preserved_and_converted() -> None:
    poems = compose(random_composer(), Form(5, 2), ["红", "海月"], 0.8, 1)
    assert [poem.lines[0][: len(s)] for poem, s in zip(poems, ["紅", "海月"], strict=True)] == ["紅", "海月"]


def test_a_whole_first_line_may_bring_its_mark() -> None:
    composer = random_composer()
    for start in ("日山夜湖海", "日山夜湖海，"):
        assert compose(composer, Form(5, 4), [start], 0.8, 0)[0].lines[0] == "日山夜湖海，"


def test_equal_seeds_give_equal_poems_whatever_their_neighbours() -> None:
    composer = random_composer()
    [alone] = compose(composer, Form(7, 4), ["山"], 0.8, 3)
    assert compose(composer, Form(7, 4), ["月", "山"], 0.8, 3)[1].text == alone.text
    assert compose(composer, Form(7, 4), ["山"], 0.8, 4)[0].text != alone.text
    start = StartEncoder(composer.vocabulary).encode_start("山", Form(7, 4))
    many = composer.compose(PoemSpec(Form(7, 4)), [start], Decoding(0.8), 3, 300)
    assert alone.text in [poem.text for poem in many[0]]
    assert len({poem.text for poem in many[0]}) > 290


def test_samples_are_ranked_by_the_models_own_score() -> None:
    composer = random_composer()
    progress: list[int] = []
    starts = [PoemStart(str(n), {}) for n in range(200)]
    groups = composer.compose(
        PoemSpec(Form(3, 2)), starts, Decoding(1.0), 0, samples=3, report_progress=progress.append
    )
    assert [len(group) for group in groups] == [3] * 200
    assert all(a.perplexity <= b.perplexity for group in groups for a, b in itertools.pairwise(group))
    assert progress == sorted(progress) and progress[-1] == 200 and len(progress) > 1


@pytest.mark.parametrize("marks", ["，。", ""])
def test_a_poem_costs_what_the_model_says_of_its_text(marks: str) -> None:
    """As an evaluation counts: every character and mark, and <eos>; the prompt is read and not counted."""
    composer = random_composer(marks, max_alternatives=4)
    words = composer.vocabulary
    for prompt in ((), tuple(words.encode("日月"))):
        start = StartEncoder(words).encode_start("山", Form(5, 4))
        [[poem]] = composer.compose(PoemSpec(Form(5, 4), prompt=prompt), [start], Decoding(0.8), 1)
        text = words.encode("".join(c for c in "".join(poem.lines) if c in words))
        ids = [BOS, *prompt, *text, EOS]
        targets = torch.tensor([[-1] * len(prompt) + ids[1 + len(prompt) :]])
        hits, _ = composer.model.score(torch.tensor([ids[:-1]]), targets)
        assert poem.scored == len(text) + 1
        assert poem.nats == pytest.approx(hits.nats.sum().item(), rel=1e-5)
        assert poem.perplexity == pytest.approx(math.exp(hits.nats.double().mean().item()), rel=1e-5)
        logits, _ = composer.model(torch.tensor([ids[:-1]]))
        chances = logits[0].softmax(-1)
        first = 1 + len(prompt)
        assert poem.characters[0].probability == pytest.approx(
            chances[first - 1, ids[first]].item(), rel=1e-4
        )


def test_alternatives_are_the_strongest_that_could_stand_there() -> None:
    composer = random_composer(max_alternatives=3)
    [poem] = compose(composer, Form(4, 1), ["山"], 0.8, 0)
    words = composer.vocabulary
    assert poem.characters[0].alternatives == ()  # nothing else could stand where 山 is forced
    logits, _ = composer.model(torch.tensor([[BOS, *words.encode("山")]]))
    chances = logits[0, -1].softmax(-1)
    expected = sorted(words.encode(CHARACTERS), key=lambda id: -chances[id])[:3]
    chosen = poem.characters[1]
    others = [id for id in expected if words.tokens[id] != chosen.text]
    assert [text for text, _ in chosen.alternatives] == [words.tokens[id] for id in others]
    assert [p for _, p in chosen.alternatives] == pytest.approx(
        [chances[id].item() for id in others], rel=1e-4
    )


def test_greedy_takes_the_likeliest_permitted_character() -> None:
    composer = random_composer()
    [poem] = compose(composer, Form(3, 1), ["山"], 0, 0)
    ids = [BOS, *composer.vocabulary.encode("山")]
    for position in (1, 2):
        logits = composer.model(torch.tensor([ids]))[0][0, -1]
        best = max(composer.vocabulary.encode(CHARACTERS), key=lambda i: logits[i].item())
        assert poem.lines[0][position] == composer.vocabulary.tokens[best]
        ids.append(best)
    start = StartEncoder(composer.vocabulary).encode_start("山", Form(3, 1))
    [[beam]] = composer.compose(PoemSpec(Form(3, 1)), [start], Decoding(beam=1), 0)
    assert beam.text == poem.text


def test_a_beam_as_wide_as_all_texts_finds_the_likeliest() -> None:
    characters = "日山月"
    composer, form = random_composer(characters=characters), Form(3, 1)
    poems = composer.compose(PoemSpec(form), [PoemStart("", {})], Decoding(beam=27), 0, samples=27)[0]
    assert len({poem.text for poem in poems}) == 27
    words = composer.vocabulary
    costs = {}
    for text in map("".join, itertools.product(characters, repeat=3)):
        ids = [BOS, *words.encode(text + "。"), EOS]
        hits, _ = composer.model.score(torch.tensor([ids[:-1]]), torch.tensor([ids[1:]]))
        costs[text] = hits.nats.double().sum().item()
    assert [poem.bare_lines[0] for poem in poems] == sorted(costs, key=costs.__getitem__)
    assert [poem.nats for poem in poems] == pytest.approx(sorted(costs.values()), rel=1e-5)


def test_a_narrow_beam_may_find_fewer_than_it_is_wide() -> None:
    composer, form = random_composer(characters="日山"), Form(1, 1)
    starts = [PoemStart("free", {}), PoemStart("forced", {0: composer.vocabulary.encode("日")[0]})]
    free, forced = composer.compose(PoemSpec(form), starts, Decoding(beam=5), 0, samples=5)
    assert sorted(poem.text for poem in free) == ["山。", "日。"]
    assert [poem.text for poem in forced] == ["日。"]


def test_a_model_that_overflows_still_composes() -> None:
    composer = random_composer()
    with torch.no_grad():
        composer.model.output.weight.fill_(math.inf)
    for decoding in (Decoding(0.0), Decoding(0.8), Decoding(beam=3)):
        [[poem]] = composer.compose(PoemSpec(Form(5, 4)), [PoemStart("", {})], decoding, 0)
        assert satisfies(poem, PoemSpec(Form(5, 4)), NO_PROSODY)
        assert math.isfinite(poem.perplexity)


def test_printed_a_couplet_a_line() -> None:
    poem = compose(random_composer(), Form(1, 3), ["日"], 0.8, 0)[0]
    first, second, third = poem.lines
    assert poem.text == f"{first}{second}\n{third}"
