import math

import numpy as np
import pytest

from tangsweep.batches.encoded_text import encode_book
from tangsweep.batches.windows import evaluation_windows
from tangsweep.corpora.book import Book
from tangsweep.errors import UserError


def book(text: str) -> Book:
    return Book("x", text, "x.txt", False, 0)


def test_the_tail_is_held_out_and_the_vocabulary_is_the_heads() -> None:
    text = "abcabcabca" * 9 + "abcabcabzy"
    made = encode_book(book(text), 30, 0.1, 1)
    known = made.vocabulary
    assert known.tokens[0] == "<oov>"
    assert set(known.tokens[1:]) == set("abc")
    assert known.decode(made.train.ids) == text[:90]
    assert made.dev.ids.tolist()[-2:] == [0, 0]
    assert made.facts["characters"] == {"train": 89, "dev": 9}
    assert made.facts["oov"]["dev"] == {"positions": 2, "rate": 2 / 9, "unseen_types": 2}
    assert made.facts["vocabulary"] == made.inputs == len(made.tokens) == 4
    scored = sum(int((batch.targets >= 0).sum()) for batch in evaluation_windows(made.dev.ids))
    assert scored == made.facts["characters"]["dev"]


def test_the_held_out_part_is_rounded_up() -> None:
    made = encode_book(book("ab" * 17), 3, 0.1, 1)
    assert len(made.dev.ids) == math.ceil(34 * 0.1) == 4
    assert len(made.train.ids) == 30


def test_the_cache_gives_the_same(home) -> None:  # type: ignore[no-untyped-def]
    first, second = (encode_book(book("abcd" * 40), 5, 0.1, 1) for _ in range(2))
    assert len(list((home / "data" / "cache").glob("*.npz"))) == 1
    assert first.facts == second.facts
    assert np.array_equal(first.train.ids, second.train.ids)
    encode_book(book("abcd" * 40), 5, 0.2, 1)
    assert len(list((home / "data" / "cache").glob("*.npz"))) == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("abcdefghij" * 3, r"training part has 27 characters and needs 31; lower data\.seq_len"),
        ("abcdefgh", "training part has 7"),
    ],
)
def test_too_short(text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=rf"x\.txt is too short: its {complaint}"):
        encode_book(book(text), 30, 0.1, 1)
    with pytest.raises(UserError, match="held-out part has 1 character"):
        encode_book(book("abcdefghij"), 3, 0.1, 1)


def test_rare_characters_are_unknown() -> None:
    made = encode_book(book("aabbc" + "ab" * 10 + "abab"), 3, 0.1, 2)
    assert "c" not in made.vocabulary
    assert made.facts["oov"]["train"]["positions"] == 1
