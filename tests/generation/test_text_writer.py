"""Running text: which characters are written, with which probabilities, and errors."""

from collections import Counter

import pytest
import torch

from tangsweep.corpora.vocabulary import SPECIAL_TOKENS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.text_writer import TextWriter
from tangsweep.inits import initialize, normal
from tangsweep.language_model import LanguageModel, build_language_model

LETTERS = "abcde \n"


def model(vocabulary: Vocabulary, cell: str = "lstm") -> LanguageModel:
    language_model = build_language_model(
        {"name": cell}, {"embed_size": 5, "hidden_size": 7, "layers": 2, "dropout": 0.5}, len(vocabulary)
    )
    initialize(language_model, normal, 0.0, 4)
    return language_model.eval()


def writer(marks: tuple[str, ...] = ("<oov>",), cell: str = "lstm") -> TextWriter:
    vocabulary = Vocabulary([*marks, *LETTERS])
    return TextWriter(model(vocabulary, cell), vocabulary)


def test_starts_are_preserved_and_lengths_are_exact() -> None:
    text_writer = writer()
    for length in (1, 2, 30):
        texts = text_writer.write(["ab", "ba"], length, [Decoding(0.0), Decoding(5.0)], 1)
        assert [text[:2] for text in texts] == ["ab", "ba"]
        assert [len(text) for text in texts] == [length + 2] * 2
        assert all(set(text) <= set(LETTERS) for text in texts)


def test_marks_are_never_written() -> None:
    text_writer = writer(SPECIAL_TOKENS)
    with torch.no_grad():
        text_writer.model.output.bias[:4] = 50.0
    assert set(text_writer.write(["a"], 200, [Decoding(3.0)], 0)[0]) <= set(LETTERS)


@pytest.mark.parametrize("cell", ["lstm", "phased_lstm", "gru"])
def test_greedy_text_is_the_argmax_of_the_whole_text_so_far(cell: str) -> None:
    text_writer = writer(cell=cell)
    text = text_writer.write(["ab"], 25, [Decoding(0.0)], 0)[0]
    ids = torch.tensor([text_writer.vocabulary.encode(text)])
    with torch.no_grad():
        logits, _ = text_writer.model(ids)
    best = logits[0, 1:-1, 1:].argmax(-1) + 1  # the mark is excluded
    assert best.tolist() == ids[0, 2:].tolist()


def test_a_model_of_poems_begins_with_its_mark() -> None:
    vocabulary = Vocabulary([*SPECIAL_TOKENS, *LETTERS])
    text_writer = TextWriter(model(vocabulary), vocabulary)
    text = text_writer.write(["a"], 1, [Decoding(0.0)], 0)[0]
    with torch.no_grad():
        logits, _ = text_writer.model(
            torch.tensor([[vocabulary.tokens.index("<bos>"), vocabulary.tokens.index("a")]])
        )
    assert vocabulary.encode(text[1])[0] == logits[0, -1, 4:].argmax() + 4


def test_samples_follow_the_tempered_probabilities() -> None:
    text_writer = writer()
    count, temperature = 4_000, 1.7
    counts = Counter(
        text_writer.write(["a"], 1, [Decoding(temperature)], seed)[0][1] for seed in range(count)
    )
    with torch.no_grad():
        logits, _ = text_writer.model(torch.tensor([text_writer.vocabulary.encode("a")]))
    expected = (logits[0, -1, 1:] / temperature).softmax(0)
    for letter, probability in zip(LETTERS, expected.tolist(), strict=True):
        deviation = (probability * (1 - probability) / count) ** 0.5
        assert abs(counts[letter] / count - probability) < 6 * deviation + 1e-9


def test_a_text_does_not_change_with_its_neighbours_and_does_with_the_seed() -> None:
    text_writer = writer()
    alone = text_writer.write(["ab"], 40, [Decoding(1.0)], 3)
    assert text_writer.write(["ba", "ab"], 40, [Decoding(2.0), Decoding(1.0)], 3)[1:] == alone
    assert text_writer.write(["ab"], 40, [Decoding(1.0)], 4) != alone


def test_unknown_characters_are_named_or_replaced() -> None:
    text_writer = writer()
    with pytest.raises(UserError, match=r"'X' 'é' does not occur .* --replace-unknown"):
        text_writer.replace_unknown("aéXb")
    assert text_writer.replace_unknown("aéXb", " ") == "a  b"
    assert text_writer.replace_unknown("aéXb", "") == "ab"
    with pytest.raises(UserError, match="--replace-unknown 'Z' is unknown to this model as well"):
        text_writer.replace_unknown("aéb", "Z")
