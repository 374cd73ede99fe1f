import math
import threading
from pathlib import Path

import numpy as np
import pytest

from tangsweep.batches import encode
from tangsweep.batches.encode import encode_book, encode_poems
from tangsweep.batches.encoded_text import EncodedText
from tangsweep.batches.windows import evaluation_windows
from tangsweep.corpora.book import Book
from tangsweep.corpora.tang import FILE_NAMES, FOLDER, Poem, PoemCorpus, read_poems
from tangsweep.corpora.vocabulary import BOS, EOS, OOV
from tangsweep.errors import UserError
from tangsweep.runs.record import Counts, OovFacts, PoetFacts
from tests.batches.small_corpora import corpus, options

POEMS = corpus("甲乙，丙丁。戊己，庚辛。", "甲甲，乙乙。", "丙丙。", "甲子。", "壬壬，甲乙。")


TEST_POEMS = [
    ("李白", "甲乙，丙丙。"), ("王維", "甲丙，乙乙。"), ("李白", "乙甲。"), ("王維", "丙甲。"),
    ("李白", "甲丁，乙甲。戊己，丙丙。"), ("王維", "甲乙丙。"), ("杜甫", "庚辛。"),
]  # fmt: skip


def rows(encoded: EncodedText, side: str) -> list[list[int]]:
    sequences = getattr(encoded, side)
    return [r.tolist() for r in np.split(sequences.ids, sequences.starts[1:-1])]


def test_special_tokens_stand_where_they_belong() -> None:
    encoded = encode_poems(POEMS, options(max_chars=6))
    first, second, whole, *_ = rows(encoded, "train")
    decode = encoded.vocabulary.decode
    assert (first[0], second[0], whole[0]) == (BOS, BOS, BOS)
    assert (decode(first[1:]), decode(second[1:-1])) == ("甲乙，丙丁。", "戊己，庚辛。")
    assert (second[-1], whole[-1]) == (EOS, EOS)  # after a poem's last chunk only


def test_vocabulary_comes_from_training_text_alone() -> None:
    encoded = encode_poems(POEMS, options())
    assert "甲" in encoded.vocabulary
    assert "壬" not in encoded.vocabulary
    assert rows(encoded, "dev")[0].count(OOV) == 2
    assert encoded.facts.oov["dev"] == OovFacts(positions=2, rate=2 / 7, unseen_types=1)
    assert encoded.facts.oov["train"].positions == 0


def test_rare_characters_become_oov() -> None:
    encoded = encode_poems(POEMS, options(min_freq=3))
    assert set(encoded.vocabulary.tokens[4:]) == {"甲", "乙", "丙", "，", "。"}
    assert encoded.facts.oov["train"].unseen_types == len("丁戊己庚辛子")


def test_characters_cut_away_are_not_counted_as_unseen() -> None:
    encoded = encode_poems(
        corpus("甲乙。", "甲壬癸子。"), options(long="truncate", max_chars=2, train_poems=1)
    )
    assert encoded.facts.oov["dev"] == OovFacts(positions=1, rate=1 / 2, unseen_types=1)


def test_fixed_split_takes_the_vocabulary_of_the_whole_pool() -> None:
    small, large = (encode_poems(POEMS, options(split="fixed", pool=4, dev_poems=1, poems=n)) for n in (1, 4))
    assert small.vocabulary.tokens == large.vocabulary.tokens
    assert small.facts.dev_fingerprint == large.facts.dev_fingerprint
    assert small.facts.split_fingerprint != large.facts.split_fingerprint


def test_counts_of_characters_are_scored_positions() -> None:
    encoded = encode_poems(POEMS, options(max_chars=6))
    train_text = sum(len(p.text) for p in POEMS.poems[:4])
    assert encoded.facts.characters.train == train_text + 4  # an <eos> a poem
    assert len(encoded.train.targets) == train_text + 4
    dropped = {"read": 5, "empty": 0, "duplicate": 0, "short": 0, "near_dev": 0, "near_test": 0}
    assert encoded.facts.poems == {**dropped, "train": 4, "dev": 1}


def test_the_test_set_is_encoded_described_and_cached(home: Path) -> None:
    poems = [Poem(str(n), author, "", (text,)) for n, (author, text) in enumerate(TEST_POEMS)]
    found = PoemCorpus("tang", tuple(poems[:4]), "", True, later=tuple(poems[4:]))
    chosen = options(poems=4, train_poems=3, max_chars=6, test_poems=9)
    encoded = encode_poems(found, chosen)
    assert [encoded.vocabulary.decode(row) for row in rows(encoded, "test")] == [
        "<bos>甲<oov>，乙甲。", "<bos><oov><oov>，丙丙。<eos>", "<bos>甲乙丙。<eos>", "<bos><oov><oov>。<eos>",
    ]  # fmt: skip
    documents = encoded.documents["test"]
    assert (documents.names, documents.authors) == (["4", "5", "6"], ["李白", "王維", "杜甫"])
    assert documents.of_sequence.tolist() == [0, 0, 1, 2]
    facts = encoded.facts
    assert facts.poems is not None and (facts.poems["test"], facts.poems["train"]) == (3, 3)
    assert (facts.characters.test, facts.sequences.test) == (len(encoded.test.targets), 4)
    assert facts.oov["test"] == OovFacts(positions=5, rate=5 / 22, unseen_types=5)
    # Of test poets 李白 and 王維 are trained on: 12 + 4 characters of 19.
    assert facts.poets["test"] == PoetFacts(count=3, in_training=2, share=16 / 19)
    without = encode_poems(found, options(poems=4, train_poems=3, max_chars=6))
    assert without.test is None and without.facts.test_fingerprint is None
    assert without.facts.dev_fingerprint == facts.dev_fingerprint
    assert without.facts.split_fingerprint == facts.split_fingerprint
    encode._in_memory.clear()
    again = encode_poems(found, chosen)
    assert again.facts == facts and again.baselines == encoded.baselines
    np.testing.assert_array_equal(again.test.ids, encoded.test.ids)
    np.testing.assert_array_equal(again.documents["dev"].of_sequence, encoded.documents["dev"].of_sequence)


def caches(home: Path) -> list[Path]:
    return sorted((home / "data" / "cache").glob("*.encoded"))


def test_the_cache_returns_the_same_without_encoding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = encode_poems(POEMS, options())
    monkeypatch.setattr(encode, "_encode_split", lambda *_: pytest.fail("encoded again"))
    again = encode_poems(POEMS, options())
    assert again.vocabulary.tokens == first.vocabulary.tokens
    assert again.facts == first.facts
    np.testing.assert_array_equal(again.train.ids, first.train.ids)
    np.testing.assert_array_equal(again.dev.starts, first.dev.starts)
    assert len(caches(home)) == 1


def test_other_options_or_poems_have_a_cache_of_their_own(home: Path) -> None:
    encode_poems(POEMS, options())
    encode_poems(POEMS, options(min_freq=2))
    encode_poems(corpus("甲乙。", "丙丁。"), options())
    assert len(caches(home)) == 3


def test_a_changed_cache_is_replaced(home: Path) -> None:
    """Whichever bit of it has flipped: every 401st, at each place within a byte."""
    encode_poems(POEMS, options())
    [path] = caches(home)
    written = path.read_bytes()
    flipped = [(bit // 8, 1 << bit % 8) for bit in range(0, 8 * len(written), 401)]
    damaged = [written[:at] + bytes([written[at] ^ mask]) + written[at + 1 :] for at, mask in flipped]
    for content in [*damaged, b"", b"junk", written[:-200]]:
        path.write_bytes(content)
        encode._in_memory.clear()
        encode_poems(POEMS, options())
        assert path.read_bytes() == written


def test_the_cache_of_an_earlier_version_and_what_a_kill_left_are_removed(home: Path) -> None:
    encode_poems(POEMS, options())
    [path] = caches(home)
    path.with_suffix(".npz").write_bytes(path.read_bytes())
    path.with_name(f".{path.name}.abcd_123").write_bytes(b"half")
    path.unlink()
    encode._in_memory.clear()
    encode_poems(POEMS, options())
    assert {other.suffix for other in path.parent.iterdir()} == {".encoded", ".lock"}


def test_threads_that_need_the_same_text_encode_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = encode._encode_split
    monkeypatch.setattr(encode, "_encode_split", lambda *a: calls.append(1) or real(*a))
    results: list[EncodedText] = []
    threads = [
        threading.Thread(target=lambda: results.append(encode_poems(POEMS, options()))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len({r.facts.split_fingerprint for r in results}) == 1
    assert len(results) == 4


def test_published_vocabulary_of_the_500_poem_setting(tang_folder: Path) -> None:
    poems = read_poems((tang_folder / FOLDER / name for name in FILE_NAMES), 500)[:500]
    encoded = encode_poems(PoemCorpus("tang", poems, "", True), options(min_chars=20, duplicates="keep"))
    assert len(encoded.vocabulary) == 2_558


def book(text: str) -> Book:
    return Book("x", text, "x.txt", False, 0)


def test_the_end_of_a_book_is_held_out_and_the_vocabulary_comes_from_the_rest() -> None:
    text = "abcabcabca" * 9 + "abcabcabzy"
    encoded = encode_book(book(text), 30, 0.1, 1)
    vocabulary = encoded.vocabulary
    assert vocabulary.tokens[0] == "<oov>"
    assert set(vocabulary.tokens[1:]) == set("abc")
    assert vocabulary.decode(encoded.train.ids) == text[:90]
    assert encoded.dev.ids.tolist()[-2:] == [0, 0]
    assert encoded.facts.characters == Counts(train=89, dev=9)
    assert encoded.facts.oov["dev"] == OovFacts(positions=2, rate=2 / 9, unseen_types=2)
    assert encoded.facts.vocabulary == encoded.inputs == len(encoded.tokens) == 4
    scored = sum(int((batch.targets >= 0).sum()) for batch in evaluation_windows(encoded.dev.ids))
    assert scored == encoded.facts.characters.dev


def test_the_held_out_part_is_rounded_up() -> None:
    encoded = encode_book(book("ab" * 17), 3, 0.1, 1)
    assert len(encoded.dev.ids) == math.ceil(34 * 0.1) == 4
    assert len(encoded.train.ids) == 30


def test_books_are_cached(home: Path) -> None:
    first, second = (encode_book(book("abcd" * 40), 5, 0.1, 1) for _ in range(2))
    assert len(caches(home)) == 1
    assert first.facts == second.facts
    assert np.array_equal(first.train.ids, second.train.ids)
    encode_book(book("abcd" * 40), 5, 0.2, 1)
    assert len(caches(home)) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abcdefghij" * 3, r"training part has 27 characters and needs 31; lower data\.seq_len"),
        ("abcdefgh", "training part has 7"),
    ],
)
def test_a_book_that_is_too_short(text: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"x\.txt is too short: its {message}"):
        encode_book(book(text), 30, 0.1, 1)
    with pytest.raises(UserError, match="held-out part has 1 character"):
        encode_book(book("abcdefghij"), 3, 0.1, 1)


def test_rare_characters_of_a_book_become_oov() -> None:
    encoded = encode_book(book("aabbc" + "ab" * 10 + "abab"), 3, 0.1, 2)
    assert "c" not in encoded.vocabulary
    assert encoded.facts.oov["train"].positions == 1
