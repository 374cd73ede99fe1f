"""Chosen ids are allowed and possible, and follow the model's probabilities."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.generation.decoding import (
    MIN_LOG_PROBABILITY,
    Decoding,
    choose_ids,
    extend_beams,
    log_probabilities,
)

V = 9
SCORES = st.lists(
    st.one_of(st.floats(-30, 30, width=32, allow_subnormal=False), st.just(-math.inf), st.just(0.0)),
    min_size=V,
    max_size=V,
)
ALLOWED = st.lists(st.booleans(), min_size=V, max_size=V).filter(any)
DECODINGS = st.builds(
    Decoding,
    st.sampled_from([0.0, 1e-300, 1e-3, 0.7, 1.0, 50.0, 1e300]),
    st.one_of(st.none(), st.integers(1, V + 3)),
    st.one_of(st.none(), st.floats(0.01, 1.0, allow_subnormal=False)),
)
UNIT = st.floats(0, 1, exclude_max=True, width=32, allow_subnormal=False)


@given(SCORES, ALLOWED, UNIT, DECODINGS)
def test_chosen_ids_are_allowed_possible_and_within_top_k_and_top_p(
    scores: list[float], allowed: list[bool], draw: float, decoding: Decoding
) -> None:
    [chosen] = choose_ids(
        torch.tensor([scores]), torch.tensor([allowed]), torch.tensor([draw]), decoding
    ).tolist()
    assert allowed[chosen]
    open_scores = [score for score, may in zip(scores, allowed, strict=True) if may]
    if max(open_scores) > -math.inf:
        assert scores[chosen] > -math.inf
    better = [i for i in range(V) if allowed[i] and (scores[i], -i) > (scores[chosen], -chosen)]
    if decoding.temperature == 0:
        assert not better  # ties: the lowest id
    if decoding.top_k is not None:
        assert len(better) < decoding.top_k
    if decoding.top_p is not None and 0.01 < decoding.temperature < 100:
        weights = [math.exp((s - max(open_scores)) / decoding.temperature) if max(open_scores) > -math.inf else 1.0
                   for s in open_scores]  # fmt: skip
        if decoding.top_k is not None:
            weights = sorted(weights, reverse=True)[: decoding.top_k]
        mass = [
            math.exp((scores[i] - max(open_scores)) / decoding.temperature)
            if max(open_scores) > -math.inf
            else 1.0
            for i in better
        ]
        assert sum(mass) < decoding.top_p * sum(weights) * (1 + 1e-4) + 1e-6 or not better


@given(SCORES, ALLOWED, UNIT, DECODINGS)
def test_rows_are_independent(
    scores: list[float], allowed: list[bool], draw: float, decoding: Decoding
) -> None:
    other = torch.zeros(1, V)
    alone = choose_ids(torch.tensor([scores]), torch.tensor([allowed]), torch.tensor([draw]), decoding)
    both = choose_ids(
        torch.cat([other, torch.tensor([scores])]),
        torch.tensor([[True] * V, allowed]),
        torch.tensor([0.3, draw]),
        decoding,
    )
    assert both[1] == alone[0]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(None, None), (4, None), (None, 0.8), (5, 0.9)])
def test_probabilities_are_the_models(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """A grid of draws instead of random ones: each id's share of [0, 1) is its probability."""
    logits = torch.tensor([0.5, -1.0, 2.0, 0.0, 1.0, -3.0, 0.7, 3.0, -0.2])
    allowed = torch.tensor([True] * 7 + [False, True])
    probabilities = (logits / temperature).masked_fill(~allowed, -math.inf).softmax(0).double()
    order = probabilities.argsort(descending=True)
    remaining = torch.zeros(V, dtype=torch.bool)
    remaining[order[: top_k or V]] = True
    probabilities = probabilities * remaining / (probabilities * remaining).sum()
    if top_p is not None:
        before = torch.tensor([probabilities[order][:n].sum() for n in range(V)])
        remaining[order[before >= top_p]] = False
        probabilities = probabilities * remaining / (probabilities * remaining).sum()
    draws = 20_000
    grid = (torch.arange(draws) + 0.5) / draws
    chosen = choose_ids(logits.expand(draws, -1), allowed, grid, Decoding(temperature, top_k, top_p))
    shares = torch.bincount(chosen, minlength=V) / draws
    torch.testing.assert_close(shares.double(), probabilities, atol=2e-4, rtol=0)


def test_the_fewest_that_reach_top_p_are_kept() -> None:
    """Four equal halves of halves: two of them are one half, and no third is needed."""
    logits, allowed = torch.zeros(1, 4), torch.tensor([True] * 4)
    for draw in (0.0, 0.49, 0.51, 0.99):
        assert choose_ids(logits, allowed, torch.tensor([draw]), Decoding(1.0, None, 0.5)).item() in (0, 1)


def test_log_probabilities_are_never_nan() -> None:
    logits = torch.tensor([[0.0, math.nan, 1.0], [math.inf, 0.0, 0.0], [-math.inf] * 3, [math.nan] * 3])
    logs = log_probabilities(logits)
    assert logs.isfinite().all()
    torch.testing.assert_close(logs[0, [0, 2]], torch.tensor([0.0, 1.0]).log_softmax(0))
    assert logs[0, 1] == MIN_LOG_PROBABILITY
    assert logs[1].argmax() == 0


@given(st.integers(1, 3), st.integers(1, 4), st.data())
def test_a_beam_keeps_the_cheapest_continuations(groups: int, beam: int, data: st.DataObject) -> None:
    rows = groups * beam
    seed = data.draw(st.integers(0, 100))
    generator = torch.Generator().manual_seed(seed)
    logs = torch.randn(rows, V, generator=generator).log_softmax(-1)
    nats = torch.rand(rows, generator=generator, dtype=torch.float64) * 3
    allowed = torch.rand(rows, V, generator=generator) < 0.8
    parents, ids = extend_beams(nats, logs, allowed, beam)
    for group in range(groups):
        beam_rows = range(group * beam, (group + 1) * beam)
        every = sorted(
            (nats[row].item() - logs[row, id].double().item(), row, id)
            for row in beam_rows
            for id in range(V)
            if allowed[row, id]
        )
        continuations = [(parents[row].item(), ids[row].item()) for row in beam_rows]
        assert continuations[: len(every)] == [(row, id) for _, row, id in every[:beam]]
