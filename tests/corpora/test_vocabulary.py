import os
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tangsweep.corpora.vocabulary import BOS, EOS, OOV, PAD, SPECIAL_TOKENS, Vocabulary, build_vocabulary
from tangsweep.errors import UserError

texts = st.lists(st.text("甲乙丙丁戊己，。", min_size=1, max_size=12), min_size=1, max_size=6)


@given(texts, st.integers(1, 4))
@settings(deadline=None)
def test_special_tokens_then_characters_by_frequency(samples: list[str], min_freq: int) -> None:
    counts = Counter("".join(samples))
    if max(counts.values()) < min_freq:
        with pytest.raises(UserError, match=f"no character occurs data.min_freq={min_freq} times"):
            build_vocabulary(samples, min_freq)
        return
    vocabulary = build_vocabulary(samples, min_freq)
    assert vocabulary.tokens[:4] == SPECIAL_TOKENS
    assert set(vocabulary.tokens[4:]) == {c for c, n in counts.items() if n >= min_freq}
    frequencies = [counts[c] for c in vocabulary.tokens[4:]]
    assert frequencies == sorted(frequencies, reverse=True)


def test_ids() -> None:
    vocabulary = Vocabulary([*SPECIAL_TOKENS, "甲", "乙"])
    assert (PAD, OOV, BOS, EOS) == (0, 1, 2, 3)
    assert vocabulary.encode("乙丙甲") == [5, OOV, 4]
    assert vocabulary.decode([4, 5]) == "甲乙"
    assert ("甲" in vocabulary, "丙" in vocabulary, len(vocabulary)) == (True, False, 6)
    assert vocabulary.fingerprint != Vocabulary([*SPECIAL_TOKENS, "乙", "甲"]).fingerprint


def test_fastnlp_stays_quiet_and_leaves_the_environment(capfd: pytest.CaptureFixture[str]) -> None:
    before = dict(os.environ)
    build_vocabulary(["甲乙"], 1)
    assert dict(os.environ) == before
    assert capfd.readouterr() == ("", "")
