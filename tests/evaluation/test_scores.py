"""Sums of an evaluation, by hand."""

import math

import pytest
import torch

from tangsweep.evaluation.scores import tally_batch
from tangsweep.language_model import ScoredPositions


def test_padding_is_summed_apart_and_a_row_of_padding_is_no_sequence() -> None:
    found = ScoredPositions(
        nats=torch.tensor([1.0, 3.0, 0.5, 7.0, 9.0]),
        hits=torch.tensor([True, False, True, True, False]),
        targets=torch.tensor([4, 5, 4, 0, 0]),
        rows=torch.tensor([0, 0, 2, 2, 3]),
        steps=torch.tensor([0, 1, 0, 1, 0]),
    )
    sums = tally_batch(found, pad=0)
    assert (sums.nats, sums.characters, sums.hits, sums.sequences) == (4.5, 3, 2, 2)
    assert (sums.pad_nats, sums.pads) == (16.0, 2)
    assert sums.sequence_perplexities == pytest.approx(math.exp(2) + math.exp(0.5))
    assert (sums.oov, sums.oov_nats) == (0, 0.0)
    unknown = tally_batch(found, pad=0, oov=4)
    assert (unknown.nats, unknown.oov_nats, unknown.oov) == (4.5, 1.5, 2)
    text = tally_batch(found, pad=None)
    assert (text.nats, text.characters, text.hits, text.sequences, text.pads) == (20.5, 5, 3, 3, 0)


def test_nothing_scored_is_nothing() -> None:
    empty = torch.empty(0)
    sums = tally_batch(ScoredPositions(empty, empty.bool(), empty.long(), empty.long(), empty.long()), None)
    assert (sums.nats, sums.characters, sums.sequences) == (0, 0, 0)
