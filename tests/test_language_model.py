import pytest
import torch
from torch import nn

from tangsweep.cells.named import named
from tangsweep.errors import UserError
from tangsweep.inits import initialize, xavier
from tangsweep.language_model import LanguageModel, build, nats


def model(vocabulary: int = 11, **sizes: object) -> LanguageModel:
    sizes = {"embed_size": 4, "hidden_size": 6, "layers": 1, "dropout": 0.0} | sizes
    made = build({"name": "lstm"}, sizes, vocabulary).double()
    initialize(made, xavier, 0.0, seed=1)
    return made


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


def test_nats_are_cross_entropy_and_zero_where_not_scored() -> None:
    logits = torch.randn(3, 4, 7, dtype=torch.float64)
    targets = torch.tensor([[1, 2, 0, -1], [6, -1, -1, -1], [0, 0, 0, 0]])
    ours = nats(logits, targets)
    for row in range(3):
        for column in range(4):
            target = int(targets[row, column])
            theirs = 0.0 if target < 0 else -logits[row, column].log_softmax(0)[target].item()
            assert ours[row, column].item() == pytest.approx(theirs, abs=1e-12)


def test_state_is_carried() -> None:
    made, ids = model(layers=2), torch.randint(11, (2, 6))
    whole, _ = made(ids)
    _, carry = made(ids[:, :2])
    rest, _ = made(ids[:, 2:], None, carry)
    torch.testing.assert_close(rest, whole[:, 2:])


def test_dropout_acts_in_training_only() -> None:
    made, ids = model(dropout=0.5), torch.randint(11, (2, 6))
    assert not torch.equal(made.train()(ids)[0], made(ids)[0])
    assert torch.equal(made.eval()(ids)[0], made(ids)[0])


def test_an_unknown_cell_names_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"lstn does not exist; there are: rnn, gru, lstm"):
        named({"name": "lstn"})
