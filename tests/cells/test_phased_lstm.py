"""The time gate against the paper's formula, number by number; with the gate always open, an LSTM."""

from collections.abc import Iterator

import pytest
import torch

from tangsweep.cells.cell import unroll
from tangsweep.cells.lstm import LSTM
from tangsweep.cells.phased_lstm import PhasedLSTM, State
from tangsweep.inits import initialize, uniform
from tangsweep.language_model import LanguageModel


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def cell(**options: object) -> PhasedLSTM:
    model = LanguageModel(lambda E, H: PhasedLSTM(E, H, **options), 3, 2, 3, 6, input="reals")  # type: ignore[arg-type]
    initialize(model, uniform, 0.0, seed=5)
    return model.cells[0]


def openness(t: float, period: float, shift: float, r_on: float, alpha: float) -> float:
    phase = ((t - shift) % period) / period
    if phase < r_on / 2:
        return 2 * phase / r_on
    if phase < r_on:
        return 2 - 2 * phase / r_on
    return alpha * phase


@pytest.mark.parametrize("r_on", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("training", [True, False])
def test_the_gate_is_the_papers(r_on: float, training: bool) -> None:
    phased = cell(r_on=r_on, alpha=0.3).train(training)
    times = torch.linspace(0, 90, 181)
    ours = phased.openness(times)
    assert ours.shape == (181, 6)
    for unit in range(6):
        period, shift = phased.log_period[unit].exp().item(), phased.shift[unit].item()
        for row in range(181):
            theirs = openness(times[row].item(), period, shift, r_on, 0.3 if training else 0.0)
            assert ours[row, unit].item() == pytest.approx(theirs, abs=1e-9)


def forced(k: float) -> PhasedLSTM:
    phased = cell()
    phased.openness = lambda times: torch.full((*times.shape, 6), k)  # type: ignore[method-assign]
    return phased


def test_always_open_it_is_an_lstm() -> None:
    phased, lstm = forced(1.0), LSTM(3, 6)
    lstm.load_state_dict({name: getattr(phased, name) for name in ("W", "U", "b")})
    x, h, c = torch.randn(9, 4, 3), torch.randn(4, 6), torch.randn(4, 6)
    ours, final = unroll(phased, x, State(h, c))
    theirs, other = unroll(lstm, x, (lambda s: type(lstm.initial_state(4))(*s))((h, c)))
    incoming = [torch.randn_like(t) for t in (ours, *final)]
    torch.autograd.backward((ours, *final), incoming)
    torch.autograd.backward((theirs, *other), incoming)
    pairs = [(ours, theirs), *zip(final, other, strict=True)]
    pairs += [(getattr(phased, name).grad, getattr(lstm, name).grad) for name in ("W", "U", "b")]
    for mine, expected in pairs:
        torch.testing.assert_close(mine, expected, rtol=1e-11, atol=1e-13)


def test_always_closed_the_state_does_not_move() -> None:
    h, c = torch.randn(4, 6), torch.randn(4, 6)
    outputs, final = unroll(forced(0.0), torch.randn(9, 4, 3), State(h, c))
    assert all(torch.equal(output, h) for output in outputs)
    assert torch.equal(final.c, c)


def test_half_open_it_goes_half_the_way() -> None:
    x, state = torch.randn(1, 2, 3), State(torch.randn(2, 6), torch.randn(2, 6))
    (_, shut), (_, half), (_, wide) = (unroll(forced(k), x, state) for k in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half.h, (shut.h + wide.h) / 2)
    torch.testing.assert_close(half.c, (shut.c + wide.c) / 2)


def test_peepholes_by_hand() -> None:
    phased = cell(peepholes=True)
    phased.openness = lambda times: torch.ones(*times.shape, 6)  # type: ignore[method-assign]
    x, state = torch.randn(1, 2, 3), State(torch.randn(2, 6), torch.randn(2, 6))
    i, f, g, o = (x[0] @ phased.W + phased.b + state.h @ phased.U).chunk(4, -1)
    to_i, to_f, to_o = phased.peepholes.view(3, 6)
    c = torch.sigmoid(f + to_f * state.c) * state.c + torch.sigmoid(i + to_i * state.c) * g.tanh()
    _, final = unroll(phased, x, state)
    torch.testing.assert_close(final.c, c)
    torch.testing.assert_close(final.h, torch.sigmoid(o + to_o * c) * c.tanh())


def test_initial_periods_and_shifts() -> None:
    model = LanguageModel(lambda E, H: PhasedLSTM(E, H, learn_r_on=True), 3, 2, 3, 500, input="reals")
    initialize(model, uniform, 1.0, seed=5)
    phased = model.cells[0]
    log_period, share = phased.log_period, phased.shift / phased.log_period.exp()
    assert 1 <= log_period.min() < 1.05 and 2.95 < log_period.max() <= 3
    assert 0 <= share.min() < 0.02 and 0.98 < share.max() <= 1
    torch.testing.assert_close(phased.r_on_logit.sigmoid(), torch.full((500,), 0.05))
    torch.testing.assert_close(cell(period=7.0).log_period.exp(), torch.full((6,), 7.0))
    other = LanguageModel(lambda E, H: PhasedLSTM(E, H), 3, 2, 3, 500, input="reals")
    initialize(other, uniform, 1.0, seed=6)
    assert not torch.equal(other.cells[0].log_period, log_period)


@pytest.mark.parametrize(
    "options", [{"r_on": 0.0}, {"r_on": 1.5}, {"period": 0.0}, {"r_on": 1.0, "learn_r_on": True}]
)
def test_invalid_values(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"r_on=|period="):
        PhasedLSTM(2, 3, **options)  # type: ignore[arg-type]


def test_periods_are_learned() -> None:
    phased = cell(r_on=0.5, learn_r_on=True)
    outputs, _ = unroll(phased, torch.randn(20, 4, 3))
    outputs.square().sum().backward()
    assert all(p.grad.any() for p in (phased.log_period, phased.shift, phased.r_on_logit))


def test_eval_has_no_leak() -> None:
    phased = cell(r_on=0.1, alpha=0.5)
    times = torch.linspace(0, 50, 301)
    assert (phased.eval().openness(times) == 0).any()
    assert (phased.train().openness(times) == 0).sum() <= 6
