"""Running text: what is kept, what is drawn, what is refused."""

from collections import Counter

import pytest
import torch

from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.text_writer import TextWriter
from tangsweep.inits import initialize, normal
from tangsweep.language_model import LanguageModel, build_language_model

LETTERS = "abcde \n"


def model(known: Vocabulary, cell: str = "lstm") -> LanguageModel:
    made = build_language_model({"name": cell}, {"embed_size": 5, "hidden_size": 7, "layers": 2, "dropout": 0.5}, len(known))
    initialize(made, normal, 0.0, 4)
    return made.eval()


def writer(marks: tuple[str, ...] = ("<oov>",), cell: str = "lstm") -> TextWriter:
    known = Vocabulary([*marks, *LETTERS])
    return TextWriter(model(known, cell), known)


def test_starts_are_kept_and_lengths_are_exact() -> None:
    made = writer()
    for length in (1, 2, 30):
        texts = made.write(["ab", "ba"], length, [Decoding(0.0), Decoding(5.0)], 1)
        assert [text[:2] for text in texts] == ["ab", "ba"]
        assert [len(text) for text in texts] == [length + 2] * 2
        assert all(set(text) <= set(LETTERS) for text in texts)


def test_marks_are_never_written() -> None:
    made = writer(MARKS)
    with torch.no_grad():
        made.model.output.bias[:4] = 50.0
    assert set(made.write(["a"], 200, [Decoding(3.0)], 0)[0]) <= set(LETTERS)


@pytest.mark.parametrize("cell", ["lstm", "phased_lstm", "gru"])
def test_greedy_text_is_the_argmax_of_the_whole_text_so_far(cell: str) -> None:
    made = writer(cell=cell)
    text = made.write(["ab"], 25, [Decoding(0.0)], 0)[0]
    ids = torch.tensor([made.vocabulary.encode(text)])
    with torch.no_grad():
        logits, _ = made.model(ids)
    best = logits[0, 1:-1, 1:].argmax(-1) + 1  # the mark is barred
    assert best.tolist() == ids[0, 2:].tolist()


def test_a_model_of_poems_begins_with_its_mark() -> None:
    known = Vocabulary([*MARKS, *LETTERS])
    made = TextWriter(model(known), known)
    text = made.write(["a"], 1, [Decoding(0.0)], 0)[0]
    with torch.no_grad():
        logits, _ = made.model(torch.tensor([[known.tokens.index("<bos>"), known.tokens.index("a")]]))
    assert known.encode(text[1])[0] == logits[0, -1, 4:].argmax() + 4


def test_samples_follow_the_tempered_probabilities() -> None:
    made = writer()
    count, temperature = 4_000, 1.7
    drawn = Counter(made.write(["a"], 1, [Decoding(temperature)], seed)[0][1] for seed in range(count))
    with torch.no_grad():
        logits, _ = made.model(torch.tensor([made.vocabulary.encode("a")]))
    expected = (logits[0, -1, 1:] / temperature).softmax(0)
    for letter, probability in zip(LETTERS, expected.tolist(), strict=True):
        deviation = (probability * (1 - probability) / count) ** 0.5
        assert abs(drawn[letter] / count - probability) < 6 * deviation + 1e-9


def test_a_text_does_not_change_with_its_neighbours_and_does_with_the_seed() -> None:
    made = writer()
    alone = made.write(["ab"], 40, [Decoding(1.0)], 3)
    assert made.write(["ba", "ab"], 40, [Decoding(2.0), Decoding(1.0)], 3)[1:] == alone
    assert made.write(["ab"], 40, [Decoding(1.0)], 4) != alone


def test_unknown_characters_are_named_or_replaced() -> None:
    made = writer()
    with pytest.raises(UserError, match=r"'X' 'é' does not occur .* --replace-unknown"):
        made.accepted("aéXb")
    assert made.accepted("aéXb", " ") == "a  b"
    assert made.accepted("aéXb", "") == "ab"
    with pytest.raises(UserError, match="--replace-unknown 'Z' is unknown to this model as well"):
        made.accepted("aéb", "Z")
