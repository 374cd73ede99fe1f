"""How much of a text is copied from the training text."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.evaluation.poem_quality import TrainingText, longest_copies
from tests.generation.verses import training_sequences, vocabulary

TEXTS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=4)


def by_brute_force(text: list[int], training: list[list[int]]) -> list[int]:
    def occurs(run: list[int]) -> bool:
        return any(run == other[at : at + len(run)] for other in training for at in range(len(other)))

    return [
        max(n for n in range(len(text) - at + 1) if n == 0 or occurs(text[at : at + n]))
        for at in range(len(text))
    ]


@given(TEXTS, TEXTS)
def test_runs_equal_those_of_brute_force(texts: list[list[int]], training: list[list[int]]) -> None:
    ours = longest_copies(texts, training)
    assert [run.tolist() for run in ours] == [by_brute_force(text, training) for text in texts]


def test_ids_of_a_real_vocabulary() -> None:
    draw = random.Random(0)
    training = [[draw.randrange(9_000) for _ in range(500)] for _ in range(20)]
    whole = training[7][100:160]
    [run] = longest_copies([np.array([1, *whole, 2])], list(map(np.array, training)))
    assert (run[1], run.argmax()) == (60, 1)


def test_training_text_is_compared_without_marks_and_punctuation() -> None:
    words = vocabulary(marks="，。")
    sequences = training_sequences(words, "日月，山水。", "風。")
    training_text = TrainingText.from_sequences(sequences, words)
    assert [ids.tolist() for ids in training_text.texts] == [words.encode("日月山水"), words.encode("風")]
    assert {"日月", "山水", "風"} <= training_text.lines
