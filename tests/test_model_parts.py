"""Parts of the model that are off by default: masks that last, a projection, tied weights of both."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tangsweep.cells.cell import unroll
from tangsweep.inits import initialize, uniform
from tangsweep.input_layers import Dropout, Embedding
from tangsweep.language_model import LanguageModel, build_language_model

CELLS = ("rnn", "gru", "lstm", "phased_lstm")
SIZES = {"embed_size": 5, "hidden_size": 6, "layers": 2}


def built(cell: str = "lstm", **options: object) -> LanguageModel:
    model = build_language_model({"name": cell}, {**SIZES, **options}, 11).double()
    initialize(model, uniform, 0.0, seed=1)
    return model


def ids_of(batch: int = 3, steps: int = 7) -> Tensor:
    return torch.randint(11, (batch, steps), generator=torch.Generator().manual_seed(0))


class TestSequenceDropout:
    def test_a_mask_lasts_for_its_sequence_and_is_its_own(self) -> None:
        dropped = Dropout(0.5, per_sequence=True).train()(torch.ones(9, 4, 50))
        assert set(dropped.unique().tolist()) == {0.0, 2.0}
        assert torch.equal(dropped, dropped[:1].expand_as(dropped))
        assert len({tuple(row) for row in dropped[0].tolist()}) == 4
        assert 0.3 < dropped[0].eq(0).double().mean() < 0.7

    def test_without_it_each_time_step_draws(self) -> None:
        torch.manual_seed(0)
        dropped = Dropout(0.5).train()(torch.ones(9, 4, 50))
        torch.manual_seed(0)
        assert torch.equal(dropped, F.dropout(torch.ones(9, 4, 50), 0.5))

    def test_nothing_is_dropped_in_an_evaluation_or_at_rate_0(self) -> None:
        x = torch.rand(3, 2, 4)
        assert Dropout(0.5, per_sequence=True).eval()(x) is x
        assert Dropout(0.0, per_sequence=True).train()(x) is x


class TestEmbeddingDropout:
    def test_an_id_is_dropped_wherever_it_stands(self) -> None:
        layer = Embedding(40, 5, id_dropout=0.5).train()
        ids = torch.arange(40).repeat(3, 2)
        vectors, whole = layer(ids), layer.eval()(ids)
        ratio = (vectors / whole).detach()
        assert torch.allclose(ratio, ratio[:1, :40].repeat(3, 2, 1))
        scales = ratio[0, :40, 0].round(decimals=4)
        assert set(scales.tolist()) == {0.0, 2.0}

    def test_the_output_layer_reads_all_of_the_tied_matrix(self) -> None:
        model = built(embedding_dropout=0.9, embed_size=6, tie_weights=True).train()
        model.loss(ids_of(), ids_of())[0].mean.backward()
        assert model.embedding_weight.grad is not None
        assert model.embedding_weight.grad.abs().sum(1).gt(0).all()


class TestRecurrentDropout:
    @pytest.mark.parametrize("cell", CELLS)
    def test_it_is_the_same_cell_with_zeros_in_U(self, cell: str) -> None:
        model, ids = built(cell, recurrent_dropout=0.5, layers=1).train(), ids_of()
        torch.manual_seed(3)
        logits, _ = model(ids)
        logits.sum().backward()
        layer = model.cells[0]
        gradient, layer.U.grad = layer.U.grad, None

        torch.manual_seed(3)
        mask = F.dropout(torch.ones_like(layer.U), 0.5)
        reference = built(cell, layers=1)
        masked = layer.U.detach() * mask
        with torch.no_grad():
            reference.cells[0].U.copy_(masked)
        theirs, _ = reference(ids)
        torch.testing.assert_close(logits, theirs, rtol=1e-12, atol=1e-12)
        theirs.sum().backward()
        torch.testing.assert_close(gradient, reference.cells[0].U.grad * mask, rtol=1e-10, atol=1e-12)

    @pytest.mark.parametrize("cell", CELLS)
    def test_parameters_are_as_they_were_afterwards(self, cell: str) -> None:
        model = built(cell, recurrent_dropout=0.5).train()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        model(ids_of())
        assert list(model.state_dict()) == list(before)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    def test_the_state_is_carried(self) -> None:
        model, ids = built(recurrent_dropout=0.5, layers=1).train(), ids_of()
        torch.manual_seed(3)
        _, carry = model(ids)
        torch.manual_seed(3)
        masked = F.dropout(model.cells[0].U, 0.5)
        x = model.embedding(ids.t())
        state = torch.func.functional_call(model.cells[0], {"U": masked}, (x,))[1]
        torch.testing.assert_close(carry.states[0].c, state.c)

    def test_not_in_an_evaluation(self) -> None:
        model, ids = built(recurrent_dropout=0.5).eval(), ids_of()
        assert torch.equal(model(ids)[0], built()(ids)[0])


class TestProjection:
    def test_parity_with_torch_modules(self) -> None:
        model, ids = built(output_size=4, layers=1), ids_of()
        states, _ = unroll(model.cells[0], model.embedding(ids.t()))
        projection, output = nn.Linear(6, 4, bias=False).double(), nn.Linear(4, 11).double()
        with torch.no_grad():
            projection.weight.copy_(model.state_dict()["projection.weight"])
            output.load_state_dict(model.output.state_dict())
        logits = output(projection(states)).transpose(0, 1)
        torch.testing.assert_close(model(ids)[0], logits)
        loss = F.cross_entropy(logits.flatten(0, 1), ids.flatten())
        mine = model.loss(ids, ids)[0].mean
        torch.testing.assert_close(mine, loss)
        gradients = torch.autograd.grad(loss, projection.weight)
        mine.backward()
        torch.testing.assert_close(model.projection.weight.grad, gradients[0])
        scored, _ = model.score(ids, ids)
        torch.testing.assert_close(scored.nats.mean(), loss)

    def test_tied_embeddings_are_as_wide_as_the_projection(self) -> None:
        model = built(output_size=5, tie_weights=True)
        assert model.output.weight is model.embedding_weight
        with pytest.raises(ValueError, match="as wide as what the output layer reads"):
            built(output_size=4, tie_weights=True)

    def test_it_starts_as_the_scheme_says(self) -> None:
        assert model_bound(built(output_size=5)) == pytest.approx(1 / 6**0.5, rel=0.2)


def model_bound(model: LanguageModel) -> float:
    assert model.projection is not None
    return model.projection.weight.abs().max().item()


def test_off_is_what_it_was() -> None:
    """A model whose parts are off draws nothing and has the same parameters as one that never heard of them."""
    off = built(sequence_dropout=True, embedding_dropout=0.0, recurrent_dropout=0.0, output_size=None).train()
    plain, ids = built().train(), ids_of()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert torch.equal(off(ids)[0], plain(ids)[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert list(off.state_dict()) == list(plain.state_dict())
