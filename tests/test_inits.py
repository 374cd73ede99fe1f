import math

import pytest
import torch

from tangsweep import inits
from tangsweep.errors import UserError
from tangsweep.language_model import LanguageModel, build_language_model

E, H, V = 48, 64, 301


def initialized(scheme: str, forget_bias: float = 0.0, seed: int = 3, tied: bool = False) -> LanguageModel:
    sizes = {"embed_size": H if tied else E, "hidden_size": H, "layers": 2, "dropout": 0}
    model = build_language_model({"name": "lstm"}, {**sizes, "tie_weights": tied}, V)
    for p in model.parameters():
        p.data.fill_(math.nan)  # what a scheme leaves out would be seen
    inits.initialize(model, getattr(inits, scheme), forget_bias, seed)
    assert all(p.isfinite().all() for p in model.parameters())
    return model


def weights(model: LanguageModel) -> list[torch.Tensor]:
    return [*(p for cell in model.cells for p in (cell.W, cell.U)), model.output.weight]


def biases(model: LanguageModel) -> list[torch.Tensor]:
    return [*(cell.b for cell in model.cells), model.output.bias]


def uniform_within(tensor: torch.Tensor, low: float, high: float) -> bool:
    """All inside, and reaching for both ends: a uniform sample of n misses an end by about 1/n."""
    reach = (high - low) * 20 / tensor.numel()
    return low <= tensor.min() < low + reach and high - reach < tensor.max() <= high


def test_zeros() -> None:
    assert all(not p.any() for p in initialized("zeros").parameters())


def test_zeros_learn_only_the_output_bias() -> None:
    model = initialized("zeros")
    logits, _ = model(torch.randint(V, (4, 9)))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.randint(V, (36,))).backward()
    moved = {name for name, p in model.named_parameters() if p.grad.any()}
    assert moved == {"output.bias"}


def test_uniform_scaled() -> None:
    model = initialized("uniform_scaled")
    assert all(uniform_within(p, 0, 1 / 20) for p in [*weights(model), *biases(model)])


def test_uniform() -> None:
    model, bound = initialized("uniform"), 1 / math.sqrt(H)
    assert all(uniform_within(p, -bound, bound) for p in [*weights(model), *biases(model)])


def test_xavier() -> None:
    model = initialized("xavier")
    assert uniform_within(model.cells[0].W, -math.sqrt(6 / (E + H)), math.sqrt(6 / (E + H)))
    assert uniform_within(model.cells[0].U, -math.sqrt(3 / H), math.sqrt(3 / H))
    assert uniform_within(model.output.weight, -math.sqrt(6 / (V + H)), math.sqrt(6 / (V + H)))


@pytest.mark.parametrize(
    ("scheme", "deviation"), [("normal", lambda n: 1), ("kaiming", lambda n: math.sqrt(2 / n))]
)
def test_normal_schemes(scheme: str, deviation) -> None:  # type: ignore[no-untyped-def]
    model = initialized(scheme)
    for weight, fan_in in zip(weights(model), (E, H, H, H, H), strict=True):
        expected = deviation(fan_in)
        error = 5 / math.sqrt(2 * weight.numel())  # five standard errors
        assert weight.std().item() == pytest.approx(expected, rel=error)
        assert abs(weight.mean().item()) < 5 * expected / math.sqrt(weight.numel())


def test_orthogonal_gate_by_gate() -> None:
    model = initialized("orthogonal")
    for gate in model.cells[0].U.chunk(4, dim=1):
        torch.testing.assert_close(gate.t() @ gate, torch.eye(H), atol=1e-5, rtol=0)
    for gate in model.cells[0].W.chunk(4, dim=1):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(E), atol=1e-5, rtol=0)


@pytest.mark.parametrize("scheme", ["normal", "xavier", "kaiming", "orthogonal"])
def test_biases_are_zero_elsewhere(scheme: str) -> None:
    assert all(not b.any() for b in biases(initialized(scheme)))


@pytest.mark.parametrize("scheme", ["uniform_scaled", "normal", "uniform", "xavier", "kaiming", "orthogonal"])
def test_embedding_stays_standard_normal(scheme: str) -> None:
    weight = initialized(scheme).embedding.weight
    assert weight.std().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(weight, initialized("xavier").embedding.weight)  # its own random numbers


def test_forget_bias_is_added_to_the_forget_gate_alone() -> None:
    plain, biased = initialized("uniform"), initialized("uniform", forget_bias=1.5)
    for before, after in zip(plain.cells, biased.cells, strict=True):
        difference = (after.b - before.b).chunk(4)
        torch.testing.assert_close(difference[1], torch.full((H,), 1.5))
        assert not torch.stack([difference[0], difference[2], difference[3]]).any()
    assert torch.equal(plain.output.bias, biased.output.bias)


def test_forget_bias_without_a_forget_gate() -> None:
    model = initialized("xavier")
    for cell in model.cells:
        cell.gates = ("a", "b", "c", "d")
    with pytest.raises(UserError, match="forget gate"):
        inits.initialize(model, inits.xavier, 1.0, seed=0)


def test_another_seed_gives_other_weights_and_the_same_seed_the_same() -> None:
    first, again, other = (initialized("normal", seed=s).cells[0].U for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_tied_embeddings_start_as_the_output_layer() -> None:
    """N(0, 1) there would make the first logits √H times too large."""
    free, tied = initialized("uniform"), initialized("uniform", tied=True)
    bound = 1 / math.sqrt(H)
    assert uniform_within(tied.embedding.weight, -bound, bound)
    assert tied.output.weight is tied.embedding.weight
    assert free.embedding.weight.abs().max() > 3
    assert initialized("xavier", tied=True).output.weight.abs().max() <= math.sqrt(6 / (H + V))
