import threading
from pathlib import Path

import numpy as np
import pytest

from tangsweep.batches import encode as encoding
from tangsweep.batches.encoded_text import EncodedText, encode_poems
from tangsweep.corpora.tang import FILE_NAMES, FOLDER
from tangsweep.corpora.vocabulary import BOS, EOS, OOV
from tests.batches.poems import corpus, settings

POEMS = corpus("甲乙，丙丁。戊己，庚辛。", "甲甲，乙乙。", "丙丙。", "甲子。", "壬壬，甲乙。")


def rows(encoded: EncodedText, side: str) -> list[list[int]]:
    sequences = getattr(encoded, side)
    return [r.tolist() for r in np.split(sequences.ids, sequences.starts[1:-1])]


def test_marks_stand_where_they_belong() -> None:
    encoded = encode_poems(POEMS, settings(max_chars=6))
    first, second, whole, *_ = rows(encoded, "train")
    decode = encoded.vocabulary.decode
    assert (first[0], second[0], whole[0]) == (BOS, BOS, BOS)
    assert (decode(first[1:]), decode(second[1:-1])) == ("甲乙，丙丁。", "戊己，庚辛。")
    assert (second[-1], whole[-1]) == (EOS, EOS)  # after a poem's last chunk only


def test_vocabulary_comes_from_training_text_alone() -> None:
    encoded = encode_poems(POEMS, settings())
    assert "甲" in encoded.vocabulary
    assert "壬" not in encoded.vocabulary
    assert rows(encoded, "dev")[0].count(OOV) == 2
    assert encoded.facts["oov"]["dev"] == {"positions": 2, "rate": 2 / 7, "unseen_types": 1}
    assert encoded.facts["oov"]["train"]["positions"] == 0


def test_rare_characters_become_oov() -> None:
    encoded = encode_poems(POEMS, settings(min_freq=3))
    assert set(encoded.vocabulary.tokens[4:]) == {"甲", "乙", "丙", "，", "。"}
    assert encoded.facts["oov"]["train"]["unseen_types"] == len("丁戊己庚辛子")


def test_characters_cut_away_are_not_counted_as_unseen() -> None:
    encoded = encode_poems(corpus("甲乙。", "甲壬癸子。"), settings(long="truncate", max_chars=2, train_poems=1))
    assert encoded.facts["oov"]["dev"] == {"positions": 1, "rate": 1 / 2, "unseen_types": 1}


def test_fixed_split_takes_the_vocabulary_of_the_whole_pool() -> None:
    small, large = (encode_poems(POEMS, settings(split="fixed", pool=4, dev_poems=1, poems=n)) for n in (1, 4))
    assert small.vocabulary.tokens == large.vocabulary.tokens
    assert small.facts["dev_fingerprint"] == large.facts["dev_fingerprint"]
    assert small.facts["split_fingerprint"] != large.facts["split_fingerprint"]


def test_counts_of_characters_are_scored_positions() -> None:
    encoded = encode_poems(POEMS, settings(max_chars=6))
    train_text = sum(len(p.text) for p in POEMS.poems[:4])
    assert encoded.facts["characters"]["train"] == train_text + 4  # an <eos> a poem
    assert len(encoded.train.targets) == train_text + 4
    assert encoded.facts["poems"] == {"read": 5, "empty": 0, "duplicate": 0, "short": 0, "train": 4, "dev": 1}


def caches(home: Path) -> list[Path]:
    return sorted((home / "data" / "cache").glob("*.npz"))


def test_the_cache_gives_the_same_and_spares_the_encoding(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encode_poems(POEMS, settings())
    monkeypatch.setattr(encoding, "_encode", lambda *_: pytest.fail("encoded again"))
    again = encode_poems(POEMS, settings())
    assert again.vocabulary.tokens == first.vocabulary.tokens
    assert again.facts == first.facts
    np.testing.assert_array_equal(again.train.ids, first.train.ids)
    np.testing.assert_array_equal(again.dev.starts, first.dev.starts)
    assert len(caches(home)) == 1


def test_other_settings_or_poems_have_a_cache_of_their_own(home: Path) -> None:
    encode_poems(POEMS, settings())
    encode_poems(POEMS, settings(min_freq=2))
    encode_poems(corpus("甲乙。", "丙丁。"), settings())
    assert len(caches(home)) == 3


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_damaged_cache_is_built_anew(home: Path, damage: bytes | None) -> None:
    first = encode_poems(POEMS, settings())
    [path] = caches(home)
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    assert encode_poems(POEMS, settings()).facts == first.facts


def test_several_at_once_build_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    real = encoding._encode
    monkeypatch.setattr(encoding, "_encode", lambda *a: built.append(1) or real(*a))
    results: list[EncodedText] = []
    threads = [threading.Thread(target=lambda: results.append(encode_poems(POEMS, settings()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert len({r.facts["split_fingerprint"] for r in results}) == 1
    assert len(results) == 4


def test_published_vocabulary_of_the_500_poem_setting(tang_folder: Path) -> None:
    from tangsweep.corpora import tang

    poems = tang.read_poems((tang_folder / FOLDER / name for name in FILE_NAMES), 500)
    chosen = settings(min_chars=20, duplicates="keep")
    assert len(encode_poems(tang.PoemCorpus("tang", poems, "", True), chosen).vocabulary) == 2_558
