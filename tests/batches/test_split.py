import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.batches.split import SplitPoem, cut_into_chunks, split_poems
from tangsweep.corpora.near_duplicates import near_duplicates
from tangsweep.errors import UserError
from tests.batches.small_corpora import corpus, options

TEN = [f"{c}山水。" for c in "甲乙丙丁戊己庚辛壬癸"]
poem_texts = st.text("甲乙丙，。！[", max_size=30)


def texts(poems: list[SplitPoem]) -> list[str]:
    return [poem.text for poem in poems]


@given(st.lists(poem_texts, min_size=4, max_size=40), st.integers(1, 8), st.sampled_from(["drop", "keep"]))
def test_every_poem_is_kept_or_counted_and_none_is_in_both_sets(
    poems: list[str], min_chars: int, duplicates: str
) -> None:
    split_options = options(min_chars=min_chars, duplicates=duplicates)
    try:
        train, dev, test, _, counts = split_poems(corpus(*poems).poems, split_options)
    except UserError as error:
        assert "the split leaves no" in str(error)
        return
    dropped = counts["empty"] + counts["duplicate"] + counts["short"]
    assert counts["read"] == len(poems) == dropped + len(train) + len(dev)
    assert not test
    assert all(len(text) >= min_chars for text in texts(train) + texts(dev))
    if duplicates == "drop":
        assert not set(texts(train)) & set(texts(dev))
        assert len(set(texts(train + dev))) == len(train + dev)
    used = texts(train) + texts(dev)
    assert used == [p for p in poems if p in used][: len(used)] or duplicates == "drop"


def test_dropped_poems_are_counted_by_reason() -> None:
    poems = ["", "甲乙丙丁。", "甲乙丙丁。", "甲。", "乙乙乙乙。", "丙丙丙丙。"]
    train, dev, _, _, counts = split_poems(corpus(*poems).poems, options(min_chars=3))
    dropped = {"read": 6, "empty": 1, "duplicate": 1, "short": 1}
    assert counts == {**dropped, "near_dev": 0, "near_test": 0}
    assert texts(train) + texts(dev) == ["甲乙丙丁。", "乙乙乙乙。", "丙丙丙丙。"]
    with_duplicates = split_poems(corpus(*poems).poems, options(min_chars=3, duplicates="keep"))
    assert len(with_duplicates.train) + len(with_duplicates.dev) == 4


@pytest.mark.parametrize(
    ("changes", "poems"),
    [
        ({"punctuation": "drop"}, ["甲乙，丙。", "甲，乙丙。", "丁丁。"]),
        ({"long": "truncate", "max_chars": 2}, ["甲乙丙。", "甲乙丁。", "丁丁。"]),
    ],
)
def test_duplicates_are_compared_as_they_are_used(changes: dict[str, object], poems: list[str]) -> None:
    split = split_poems(corpus(*poems).poems, options(**changes))
    assert split.counts["duplicate"] == 1
    assert (len(split.train), len(split.dev)) == (1, 1)


def test_in_order_by_fraction_rounded_down() -> None:
    train, dev, _, pool, _ = split_poems(corpus(*TEN[:9]).poems, options(train_fraction=0.8))
    assert (texts(train), texts(dev)) == (TEN[:7], TEN[7:9])
    assert pool == train


def test_by_counts() -> None:
    both = split_poems(corpus(*TEN).poems, options(train_poems=5, dev_poems=2))
    assert (texts(both.train), texts(both.dev), both.test) == (TEN[:5], TEN[5:7], [])
    tested = split_poems(corpus(*TEN).poems, options(train_poems=5, dev_poems=2, test_poems=9))
    assert (texts(tested.train), texts(tested.dev), texts(tested.test)) == (TEN[:5], TEN[5:7], TEN[7:])
    train_only = split_poems(corpus(*TEN).poems, options(train_poems=6))
    assert (texts(train_only.train), texts(train_only.dev)) == (TEN[:6], TEN[6:])
    dev_only = split_poems(corpus(*TEN).poems, options(dev_poems=3))
    assert (texts(dev_only.train), texts(dev_only.dev)) == (TEN[:7], TEN[7:])
    with pytest.raises(UserError, match="more than the 10 poems kept"):
        split_poems(corpus(*TEN).poems, options(train_poems=9, dev_poems=2))
    with pytest.raises(UserError, match="more than the 10 poems kept"):
        split_poems(corpus(*TEN).poems, options(dev_poems=11))


def test_a_split_seed_shuffles_and_is_repeatable() -> None:
    first, again, other = (split_poems(corpus(*TEN).poems, options(split_seed=s)) for s in (1, 1, 2))
    assert first == again
    assert texts(first.train) not in (TEN[:8], texts(other.train))
    assert set(texts(first.train) + texts(first.dev)) == set(TEN)


@pytest.mark.parametrize("split_seed", [None, 4])
def test_fixed_holds_out_the_same_poems_whatever_the_number_of_training_poems(split_seed: int | None) -> None:
    splits = [
        split_poems(
            corpus(*TEN).poems, options(split="fixed", pool=7, dev_poems=3, poems=n, split_seed=split_seed)
        )
        for n in (1, 4, 7)
    ]
    assert [len(s.train) for s in splits] == [1, 4, 7]
    assert splits[0].dev == splits[1].dev == splits[2].dev
    assert splits[0].pool == splits[1].pool == splits[2].pool == splits[2].train
    assert splits[1].train[:1] == splits[0].train
    assert options(split="fixed", pool=7, dev_poems=3, poems=1).poems_to_read == 10


@pytest.mark.parametrize("poems", [TEN[:1], ["", ""]])
def test_an_empty_set_is_an_error(poems: list[str]) -> None:
    with pytest.raises(UserError, match=r"the split leaves no (training|development) poem"):
        split_poems(corpus(*poems).poems, options())


def test_punctuation_dropped_but_still_a_sentence_end() -> None:
    train, _, _, _, _ = split_poems(
        corpus("甲乙，丙丁。戊[1]己！", "甲。", "乙。").poems, options(punctuation="drop", train_poems=1)
    )
    assert [poem.sentences for poem in train] == [["甲乙丙丁", "戊1己"]]


class TestTestSet:
    LATER = tuple(f"{a}{b}風月。" for a in "甲乙丙丁" for b in "子丑寅卯")

    def test_it_is_drawn_from_the_later_poems_and_always_the_same(self) -> None:
        found = corpus(*TEN, later=self.LATER)
        first, again = (split_poems(found.poems, options(poems=10, test_poems=5), found.later) for _ in "ab")
        assert first == again
        assert len(first.test) == 5
        assert set(texts(first.test)) < set(self.LATER)
        assert texts(first.test) != list(self.LATER[:5])
        assert texts(first.test) == [text for text in self.LATER if text in texts(first.test)]
        without = split_poems(found.poems, options(poems=10))
        assert (without.train, without.dev, without.test) == (first.train, first.dev, [])

    def test_no_test_poem_is_known_repeated_short_or_empty(self) -> None:
        later = [TEN[0], TEN[9], "甲。", "", *self.LATER, self.LATER[3]]
        for duplicates in ("drop", "keep", "near"):
            chosen = options(poems=10, test_poems=99, min_chars=3, duplicates=duplicates)
            found = corpus(*TEN, later=later)
            assert texts(split_poems(found.poems, chosen, found.later).test) == list(self.LATER)

    def test_a_poem_that_was_dropped_for_its_length_is_known_too(self) -> None:
        found = corpus(*TEN, "山。", later=["山。", "水。"])
        split = split_poems(found.poems, options(poems=11, test_poems=9), found.later)
        assert texts(split.test) == ["水。"]

    @pytest.mark.parametrize("split_seed", [None, 1])
    def test_of_all_poems_it_is_a_tenth_that_the_split_does_not_see(self, split_seed: int | None) -> None:
        everything = TEN + [*self.LATER] + [f"{text}雪。" for text in self.LATER]
        split = split_poems(corpus(*everything).poems, options(test_poems=500, split_seed=split_seed))
        parts = [texts(part) for part in (split.train, split.dev, split.test)]
        assert sorted(text for part in parts for text in part) == sorted(everything)
        assert len(split.test) == len(everything) // 10
        assert split.pool == split.train
        other = split_poems(corpus(*everything).poems, options(test_poems=500, split_seed=7))
        assert texts(other.test) == texts(split.test)
        whole = split_poems(corpus(*everything).poems, options(test_poems=0))
        assert len(whole.train) + len(whole.dev) == len(everything)

    def test_it_lies_behind_the_largest_size_of_a_sweep_in_whole_thousands(self) -> None:
        assert options(poems=100, test_poems=500).later_poems == range(100, 1000)
        assert options(poems=500, test_poems=500).later_poems == range(500, 2000)
        assert options(poems=100, test_poems=500, test_after=5000).later_poems == range(5000, 6000)
        assert options(split="fixed", pool=7, dev_poems=3, test_poems=1).later_poems == range(10, 1000)
        assert not options(poems=100).later_poems and not options(test_poems=500).later_poems


LINE = "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少"


class TestNearDuplicates:
    def test_half_of_the_7_grams_and_no_punctuation(self) -> None:
        assert len(LINE) == 20  # 14 7-grams, of which 7 lie in the first 13 characters
        near, far = LINE[:13] + "甲乙丙丁戊己庚", LINE[:12] + "甲乙丙丁戊己庚辛"
        training = ["。".join(LINE), "山水"]
        assert near_duplicates([near, far, LINE, "山水", "", far], training) == {0, 2}
        assert near_duplicates([far[:12]], training) == {0}
        assert near_duplicates(["山水"], ["山水"]) == set() == near_duplicates([], training)

    def test_a_gram_does_not_reach_over_the_end_of_a_text(self) -> None:
        assert near_duplicates([LINE[:8]], [LINE[:4], LINE[4:8]]) == set()

    @given(st.lists(st.text("甲乙丙", min_size=0, max_size=14), max_size=6), st.lists(poem_texts, max_size=6))
    def test_it_is_the_share_of_sets(self, held: list[str], training: list[str]) -> None:
        def grams(text: str) -> list[str]:
            letters = "".join(character for character in text if character in "甲乙丙")
            return [letters[i : i + 7] for i in range(len(letters) - 6)]

        known = {gram for text in training for gram in grams(text)}
        shared = [sum(gram in known for gram in grams(text)) for text in held]
        expected = {n for n, text in enumerate(held) if grams(text) and 2 * shared[n] >= len(grams(text))}
        assert near_duplicates(held, training) == expected

    def test_they_are_counted_and_dropped_only_on_demand(self) -> None:
        poems = [LINE, *TEN, LINE[:13] + "甲乙。", "子丑。"]
        later = ["，".join(LINE), "寅卯。"]
        found = corpus(*poems, later=later)
        chosen = {"poems": 13, "train_poems": 11, "test_poems": 9}
        kept, dropped = (
            split_poems(found.poems, options(**chosen, duplicates=duplicates), found.later)
            for duplicates in ("drop", "near")
        )
        assert kept.counts == dropped.counts
        assert (kept.counts["near_dev"], kept.counts["near_test"]) == (1, 1)
        assert texts(kept.dev) == poems[11:] and texts(kept.test) == later
        assert texts(dropped.dev) == poems[12:] and texts(dropped.test) == later[1:]
        assert dropped.train == kept.train


@given(st.lists(st.text("甲乙丙丁", min_size=1, max_size=25), min_size=1, max_size=12), st.integers(2, 20))
def test_chunks_lose_nothing_and_end_at_sentence_ends(lines: list[str], max_chars: int) -> None:
    sentences = [f"{line}。" for line in lines]
    chunks = cut_into_chunks(sentences, max_chars, "chunk")
    assert "".join(chunk.text for chunk in chunks) == "".join(sentences)
    assert all(0 < len(chunk.text) <= max_chars for chunk in chunks)
    assert [chunk.ends_poem for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    if all(len(s) <= max_chars for s in sentences):
        assert all(chunk.text.endswith("。") for chunk in chunks)


def test_chunks_are_filled() -> None:
    chunks = cut_into_chunks(["甲乙。", "丙丁。", "戊己。"], 6, "chunk")
    assert [chunk.text for chunk in chunks] == ["甲乙。丙丁。", "戊己。"]


def test_of_equal_chunks_only_the_last_ends_the_poem() -> None:
    assert [chunk.ends_poem for chunk in cut_into_chunks(["甲", "乙", "甲"], 1, "chunk")] == [
        False,
        False,
        True,
    ]


def test_truncation_keeps_the_beginning_and_marks_it_as_unfinished() -> None:
    assert cut_into_chunks(["甲乙丙。", "丁戊己。"], 5, "truncate") == [("甲乙丙。丁", False)]
    assert cut_into_chunks(["甲乙丙。"], 5, "truncate") == [("甲乙丙。", True)]
