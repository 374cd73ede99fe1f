"""Gradients without autograd are those of autograd, bit for bit."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tangsweep import inits
from tangsweep.direct_gradients import has_direct_gradients, loss_and_gradients
from tangsweep.language_model import Carry, LanguageModel, build_language_model

TOKENS = 11


def make_model(dtype: torch.dtype = torch.float64, cell: str = "lstm", **options: Any) -> LanguageModel:
    sizes = {"input": "embedding", "embed_size": 5, "hidden_size": 6, "layers": 1, "tie_weights": False}
    model = build_language_model({"name": cell}, {**sizes, **options}, TOKENS)
    inits.initialize(model, inits.find_scheme("uniform"), 0.0, 0)
    return model.to(dtype)


def draw_batch(rows: int, steps: int, unscored: float, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs, targets = (torch.randint(TOKENS, (rows, steps), generator=generator) for _ in range(2))
    targets[torch.rand(rows, steps, generator=generator) < unscored] = -1
    targets[0, 0] = 3  # at least one is scored
    return inputs, targets


def gradients(model: LanguageModel) -> list[Tensor]:
    copies = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    assert len(copies) == len(list(model.parameters()))
    return copies


def assert_equal_to_autograd(model: LanguageModel, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Each batch but the first continues from the state of the one before."""
    carries: list[Carry | None] = [None, None]
    for inputs, targets in batches:
        model.zero_grad()
        theirs, carry = model.loss(inputs, targets, None, carries[0])
        theirs.mean.backward()
        expected = gradients(model)
        ours, direct_carry = loss_and_gradients(model, inputs, targets, None, carries[1])
        assert torch.equal(ours.mean, theirs.mean) and torch.equal(ours.nats, theirs.nats)
        assert torch.equal(ours.targets, theirs.targets)
        assert all(torch.equal(a, b) for a, b in zip(gradients(model), expected, strict=True))
        assert carry.steps == direct_carry.steps
        for a, b in zip(carry.states, direct_carry.states, strict=True):
            assert type(a) is type(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
        carries = [carry.detached(), direct_carry]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(
    layers=st.integers(1, 3), tied=st.booleans(), rows=st.integers(1, 4), steps=st.integers(1, 9),
    unscored=st.sampled_from([0.0, 0.3, 0.9]), seed=st.integers(0, 1000),
)  # fmt: skip
def test_every_bit_is_that_of_autograd(
    dtype: torch.dtype, layers: int, tied: bool, rows: int, steps: int, unscored: float, seed: int
) -> None:
    model = make_model(dtype, layers=layers, tie_weights=tied, embed_size=6 if tied else 5)
    assert has_direct_gradients(model)
    assert_equal_to_autograd(model, [draw_batch(rows, steps, unscored, seed + n) for n in range(2)])


def test_a_size_at_which_products_go_to_another_library() -> None:
    model = make_model(torch.float32, hidden_size=128, embed_size=128)
    assert_equal_to_autograd(model, [draw_batch(16, 40, 0.2, 0)])


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.1}, {"embedding_dropout": 0.1}, {"recurrent_dropout": 0.1}, {"output_size": 3},
        {"input": "one_hot"}, {"input": "reals"}, {"cell": "gru"}, {"cell": "rnn"},
    ],
)  # fmt: skip
def test_other_models_are_left_to_autograd(options: dict[str, Any]) -> None:
    assert not has_direct_gradients(make_model(**options))


def test_weights_that_are_not_trained_or_of_half_precision_are_left_to_autograd() -> None:
    frozen = make_model()
    frozen.embedding_weight.requires_grad_(False)
    assert not has_direct_gradients(frozen)
    assert not has_direct_gradients(make_model(torch.bfloat16))


def test_a_batch_without_a_scored_position_is_refused() -> None:
    with pytest.raises(ValueError, match="no position is scored"):
        loss_and_gradients(make_model(), torch.zeros(1, 3, dtype=torch.long), torch.full((1, 3), -1))
