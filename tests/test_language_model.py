import pytest
import torch
from torch import nn

from tangsweep.cells.registry import cell_factory
from tangsweep.errors import UserError
from tangsweep.inits import initialize, xavier
from tangsweep.language_model import LanguageModel, build_language_model


def model(vocabulary: int = 11, **sizes: object) -> LanguageModel:
    sizes = {"embed_size": 4, "hidden_size": 6, "layers": 1, "dropout": 0.0} | sizes
    built = build_language_model({"name": "lstm"}, sizes, vocabulary).double()
    initialize(built, xavier, 0.0, seed=1)
    return built


@pytest.mark.parametrize("layers", [1, 2])
def test_parity_with_a_model_of_torch_modules(layers: int) -> None:
    ours = model(layers=layers)
    embedding, lstm = nn.Embedding(11, 4).double(), nn.LSTM(4, 6, layers, batch_first=True).double()
    with torch.no_grad():
        embedding.weight.copy_(ours.embedding.weight)
        for layer, cell in enumerate(ours.cells):
            getattr(lstm, f"weight_ih_l{layer}").copy_(cell.W.t())
            getattr(lstm, f"weight_hh_l{layer}").copy_(cell.U.t())
            getattr(lstm, f"bias_ih_l{layer}").copy_(cell.b)
            getattr(lstm, f"bias_hh_l{layer}").zero_()
    ids = torch.randint(11, (3, 5))
    theirs = ours.output(lstm(embedding(ids))[0])
    torch.testing.assert_close(ours(ids)[0], theirs, rtol=1e-10, atol=1e-12)


def test_parameter_count_is_the_published_formula() -> None:
    d, n, k = 4, 6, 11
    cell_and_output = 4 * n * (d + n + 1) + k * (n + 1)
    assert sum(p.numel() for p in model().parameters()) == k * d + cell_and_output


TARGETS = torch.tensor([[1, 2, 0, -1], [6, -1, -1, -1], [0, 0, 0, 0]])


def test_the_loss_is_the_mean_over_scored_positions() -> None:
    ours, ids = model(), torch.randint(11, (3, 4))
    output, _ = ours.loss(ids, TARGETS)
    logits = ours(ids)[0].flatten(0, 1)
    theirs = nn.functional.cross_entropy(logits, TARGETS.flatten(), ignore_index=-1)
    assert output.mean.item() == pytest.approx(theirs.item(), rel=1e-12)
    assert sorted(output.targets.tolist()) == sorted(TARGETS[TARGETS >= 0].tolist())
    output.mean.backward()
    gradients = [p.grad for p in ours.parameters()]
    for mine, other in zip(gradients, torch.autograd.grad(theirs, list(ours.parameters())), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="no position is scored"):
        ours.loss(ids, torch.full_like(TARGETS, -1))


def test_scores_are_those_of_the_logits() -> None:
    ours, ids = model(), torch.randint(11, (3, 4))
    positions, _ = ours.score(ids, TARGETS)
    logits = ours(ids)[0].detach()
    for nats, hit, target, row, step in zip(*(t.tolist() for t in positions), strict=True):
        assert TARGETS[row, step] == target
        assert nats == pytest.approx(-logits[row, step].log_softmax(0)[target].item(), abs=1e-12)
        assert hit == (logits[row, step].argmax().item() == target)
    assert len(positions.nats) == int((TARGETS >= 0).sum())
    nothing, _ = ours.score(ids, torch.full_like(TARGETS, -1))
    assert len(nothing.nats) == 0


def test_tied_weights_are_one_matrix_with_the_gradient_of_both() -> None:
    tied, free = model(tie_weights=True, embed_size=6), model(embed_size=6)
    with torch.no_grad():
        for name, parameter in free.named_parameters():
            parameter.copy_(tied.state_dict()[name])
    ids, targets = torch.randint(11, (2, 5)), torch.randint(11, (2, 5))
    for either in (tied, free):
        either.loss(ids, targets)[0].mean.backward()
    torch.testing.assert_close(
        tied.embedding.weight.grad, free.embedding.weight.grad + free.output.weight.grad
    )
    assert len(list(free.parameters())) == len(list(tied.parameters())) + 1
    with pytest.raises(ValueError, match="as wide as what the output layer reads"):
        model(tie_weights=True)


def test_state_is_carried() -> None:
    stacked, ids = model(layers=2), torch.randint(11, (2, 6))
    whole, _ = stacked(ids)
    _, carry = stacked(ids[:, :2])
    rest, _ = stacked(ids[:, 2:], None, carry)
    torch.testing.assert_close(rest, whole[:, 2:])


def test_dropout_acts_in_training_only() -> None:
    dropping, ids = model(dropout=0.5), torch.randint(11, (2, 6))
    assert not torch.equal(dropping.train()(ids)[0], dropping(ids)[0])
    assert torch.equal(dropping.eval()(ids)[0], dropping(ids)[0])


def test_an_unknown_cell_names_those_that_exist() -> None:
    with pytest.raises(
        UserError, match=r"lstn does not exist; did you mean lstm[?] there are: rnn, gru, lstm"
    ):
        cell_factory({"name": "lstn"})


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "phased_lstm"])
def test_units_that_are_copies_count_once(cell: str) -> None:
    from tangsweep import inits

    sizes = {"embed_size": 5, "hidden_size": 6, "layers": 2}
    built = build_language_model({"name": cell}, sizes, 11)
    inits.initialize(built, inits.uniform, 0.0, seed=0)
    assert built.distinct_units() == 12
    first = built.cells[0]
    with torch.no_grad():
        for parameter in first.parameters():
            columns = parameter.reshape(*parameter.shape[:-1], -1, 6)
            columns[..., 2] = columns[..., 4]
    assert built.distinct_units() == 11
    inits.initialize(built, inits.zeros, 0.0, seed=0)
    drawn = 6 if cell == "phased_lstm" else 1  # its periods are drawn under every scheme
    assert built.distinct_units() == 2 * drawn
