"""Forms hold by construction: random weights, any temperature."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.poem import Form, Poet, printed
from tangsweep.inits import initialize, normal
from tangsweep.language_model import build

CHARACTERS = "日紅山夜湖海月水風花"


def poet(marks: str = "，。？□[1", seed: int = 0) -> Poet:
    known = Vocabulary([*MARKS, *CHARACTERS, *marks])
    model = build(
        {"name": "lstm"}, {"embed_size": 5, "hidden_size": 7, "layers": 2, "dropout": 0.5}, len(known)
    )
    initialize(model, normal, 0.0, seed)
    return Poet(model, known)


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.1, 1.0, 50.0]),
    st.integers(0, 5),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_every_line_has_its_number_of_characters(
    chars: int, lines: int, temperature: float, seed: int, punctuated: bool
) -> None:
    made = poet("，。？□[1" if punctuated else "□", seed)
    for poem in made.compose(Form(chars, lines), ["山", "月"], temperature, seed):
        assert len(poem) == lines
        for number, line in enumerate(poem):
            assert re.fullmatch(f"[{CHARACTERS}]{{{chars}}}[，。]", line)
            assert line.endswith("。" if number % 2 or number == lines - 1 else "，")


def test_starts_are_kept_and_converted() -> None:
    made = poet()
    poems = made.compose(Form(5, 2), ["红", "海月"], 0.8, 1)
    assert [poem[0][: len(s)] for poem, s in zip(poems, ["紅", "海月"], strict=True)] == ["紅", "海月"]


def test_equal_seeds_give_equal_poems_whatever_their_neighbours() -> None:
    made = poet()
    alone = made.compose(Form(7, 4), ["山"], 0.8, 3)
    assert made.compose(Form(7, 4), ["月", "山"], 0.8, 3)[1] == alone[0]
    assert made.compose(Form(7, 4), ["山"], 0.8, 4) != alone


def test_greedy_takes_the_likeliest_permitted_character() -> None:
    made = poet()
    [poem] = made.compose(Form(3, 1), ["山"], 0, 0)
    ids = [2, *made.vocabulary.encode("山")]
    for position in (1, 2):
        logits = made.model(torch.tensor([ids]))[0][0, -1]
        permitted = made.vocabulary.encode(CHARACTERS)
        best = max(permitted, key=lambda i: logits[i].item())
        assert poem[0][position] == made.vocabulary.tokens[best]
        ids.append(best)


def test_temperature_samples_the_models_distribution() -> None:
    made = poet("，。")
    permitted = made.vocabulary.encode(CHARACTERS)
    logits = torch.linspace(-3, 3, len(made.vocabulary))
    expected = (logits[permitted] / 2.0).softmax(-1)
    draws = 4_000
    noise = torch.stack([made._noise(Form(1, 1), "山", seed)[0] for seed in range(draws)])
    chosen = made._choose(logits.expand(draws, -1), noise, 2.0)
    counts = torch.bincount(torch.tensor(chosen), minlength=len(made.vocabulary))
    error = 5 * (expected * (1 - expected) / draws).sqrt()
    assert ((counts[permitted] / draws - expected).abs() <= error + 1e-9).all()


def test_errors_name_the_character() -> None:
    with pytest.raises(UserError, match=r"^龍 does not occur"):
        poet().compose(Form(5, 4), ["山龙"], 0.8, 0)
    with pytest.raises(UserError, match="longer than a line of 2"):
        poet().compose(Form(2, 4), ["山月水"], 0.8, 0)


def test_printed_a_couplet_a_line() -> None:
    assert printed(["日，", "山。", "月。"]) == "日，山。\n月。"
