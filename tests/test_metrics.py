import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.metrics import METRICS, Tally, compute_scores


@given(st.lists(st.lists(st.floats(0.01, 12), min_size=1, max_size=9), min_size=1, max_size=9))
def test_perplexity_weighs_every_character_alike(sequences: list[list[float]]) -> None:
    total = Tally()
    for losses in sequences:
        mean = sum(losses) / len(losses)
        total = total + Tally(sum(losses), len(losses), 0, 1, math.exp(mean))
    flat = [loss for losses in sequences for loss in losses]
    expected = math.exp(math.fsum(flat) / len(flat))
    got = compute_scores(total)
    assert got["perplexity"] == pytest.approx(expected, rel=1e-9)
    assert got["bits_per_character"] == pytest.approx(math.log2(expected), rel=1e-9)
    assert got["nats_per_sequence"] == pytest.approx(math.fsum(flat) / len(sequences), rel=1e-9)
    means = [math.exp(sum(losses) / len(losses)) for losses in sequences]
    assert got["perplexity_mean_over_sentences"] == pytest.approx(sum(means) / len(means), rel=1e-9)


def test_variants_by_hand() -> None:
    tally = Tally(nats=20.0, characters=10, hits=3, sequences=2, pad_nats=1.0, pads=5, oov_nats=8.0, oov=2)
    got = compute_scores(tally, unseen_types=7)
    assert (got["known_nats"], got["known_characters"], got["known_loss"]) == (12.0, 8, 1.5)
    assert got["known_perplexity"] == pytest.approx(math.exp(1.5))
    assert got["oov_loss"] == 4.0
    assert got["perplexity"] == pytest.approx(math.exp(2.0))
    assert got["accuracy"] == 0.3
    assert got["perplexity_padded"] == pytest.approx(math.exp(21 / 15))
    assert got["perplexity_oov_charged"] == pytest.approx(math.exp((20 + 2 * math.log(7)) / 10))


def test_padded_is_null_where_no_padding_was_scored() -> None:
    assert compute_scores(Tally(nats=1.0, characters=1))["perplexity_padded"] is None


def test_without_unknown_characters_known_is_all_and_with_nothing_else_nan() -> None:
    got = compute_scores(Tally(nats=3.0, characters=2))
    assert (got["known_loss"], got["oov_loss"]) == (got["loss"], None)
    assert math.isnan(Tally(nats=3.0, characters=2, oov_nats=3.0, oov=2).known_loss)


@given(st.lists(st.integers(0, 50), min_size=9, max_size=9))
def test_sums_go_through_a_list_of_numbers(numbers: list[int]) -> None:
    tally = Tally.from_sums([float(number) for number in numbers])
    assert tally.sums() == numbers
    assert isinstance(tally.characters, int) and isinstance(tally.oov, int)
    assert Tally.from_sums((tally + tally).sums()) == tally + tally


def test_nothing_scored_is_nan_and_too_much_is_infinite() -> None:
    assert math.isnan(Tally().perplexity)
    assert Tally(nats=1e6, characters=1).perplexity == math.inf
    assert math.isnan(Tally(nats=math.nan, characters=1).perplexity)


@pytest.mark.parametrize(("name", "good", "bad"), [("perplexity", 2.0, 3.0), ("accuracy", 0.9, 0.5)])
def test_an_equal_score_is_not_better_and_nan_never_is(name: str, good: float, bad: float) -> None:
    metric = METRICS[name]
    assert metric.better(good, bad)
    for value, other in ((bad, good), (good, good), (math.nan, bad), (bad, math.nan)):
        assert not metric.better(value, other)
    assert metric.reaches(good, good) and metric.reaches(good, bad) and not metric.reaches(bad, good)
    assert metric.sort_key(good) < metric.sort_key(bad)
