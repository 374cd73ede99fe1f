"""Where the nats go: kinds of characters by hand, sums that add up."""

import numpy as np
import pytest

from tangsweep.batches.encode import encode_poems
from tangsweep.evaluation.breakdown import break_down, kinds_of_targets
from tests.batches.small_corpora import corpus, options


def test_kinds_of_a_poem_by_hand() -> None:
    encoded = encode_poems(corpus("甲乙，丙甲。", "甲丁，乙丙。"), options(train_poems=1))
    kinds = kinds_of_targets(encoded, "dev")
    assert [encoded.tokens[id] for id in encoded.dev.targets] == ["甲", "<oov>", *"，乙丙。", "<eos>"]
    assert kinds["place in the line"] == ["1", "2", "punctuation", "1", "2", "punctuation", "punctuation"]
    assert kinds["line of the poem"] == ["1", "1", "1", "2", "2", "2", "3"]
    assert kinds["slot"] == [
        "other characters", "line end, odd line", "punctuation", "other characters",
        "rhyme (line end, even line)", "punctuation", "punctuation",
    ]  # fmt: skip
    # In training 甲 occurs twice; 乙, 丙, the punctuation and <eos> once; <oov> never.
    assert [kind[0] for kind in kinds["frequency in training"]] == ["2", "0", "1", "1", "1", "1", "1"]


def test_sums_of_all_kinds_are_those_of_the_text() -> None:
    nats = np.array([1.0, 2.5, 4.0, 0.5])
    divided = break_down(nats, {"way": ["a", "b", "a", "c"]})["way"]
    assert {name: (kind.nats, kind.characters) for name, kind in divided.items()} == {
        "a": (5.0, 2), "b": (2.5, 1), "c": (0.5, 1),
    }  # fmt: skip
    assert sum(kind.nats for kind in divided.values()) == pytest.approx(nats.sum())
