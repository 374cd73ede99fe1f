"""Write the tables of docs/gradients.md: the error of each formula against torch's autograd, and the errors
that slips in published tables cause. `make gradients` runs it: python -m tests.analytic.errors
"""

import datetime
import platform
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import torch

from tangsweep.analytic import language_model, lstm, one_step, rnn, rtrl, softmax
from tangsweep.analytic.one_step import Step
from tangsweep.cells.cell import unroll
from tangsweep.cells.lstm import State
from tangsweep.files import REPOSITORY, display_path
from tests.analytic import test_one_step as steps
from tests.analytic.reference import Problem, arrays, autograd, grad, rnn_autograd, torch_lstm

PAGE = REPOSITORY / "docs" / "gradients.md"
E, H, T, B, V = 8, 16, 20, 4, 50
CASE = (0, E, H, 1.0, 0.0)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference, relative to the largest entry."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def jacobian(name: str, s: Step) -> np.ndarray:
    value = torch.from_numpy(steps.values(s)[name])
    return torch.autograd.functional.jacobian(steps.h_of(name, s), value).numpy()


def one_step_rows() -> Iterator[tuple[str, str, float]]:
    s = steps.step_of(*CASE)
    for name in steps.NAMES:
        yield f"∂h_t/∂{name}", f"one_step.dh_d{name}", relative(steps.ours(name, s), jacobian(name, s))
    for gate, bias in zip("ifgo", "ifco", strict=True):  # a = … + b: the same derivative
        ours = getattr(one_step, f"dh_da_{gate}")(s)
        yield f"∂h_t/∂a_{gate}", f"one_step.dh_da_{gate}", relative(ours, jacobian(f"b_{bias}", s))
    cell = torch_lstm(s.p)

    def c_of(h: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return cell.step(cell.project(torch.from_numpy(s.x)[None], None), State(h[None], c[None])).c[0]

    theirs = torch.autograd.functional.jacobian(c_of, tuple(map(torch.from_numpy, (s.h_prev, s.c_prev))))
    for name, jac in zip(("h_prev", "c_prev"), theirs, strict=True):
        yield (
            f"∂c_t/∂{name}",
            f"one_step.dc_d{name}",
            relative(getattr(one_step, f"dc_d{name}")(s), jac.numpy()),
        )


def through_time_rows() -> Iterator[tuple[str, str, float]]:
    random = np.random.default_rng(3)
    logits = torch.from_numpy(random.standard_normal((B, V))).requires_grad_()
    targets, share = random.integers(V, size=B), random.random(B)
    losses = torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets), reduction="none")
    losses.backward(torch.from_numpy(share))
    _, probabilities = softmax.cross_entropy(logits.detach().numpy(), targets)
    ours = softmax.cross_entropy_gradient(probabilities, targets, share)
    yield "∂(w ℓ)/∂z", "softmax.cross_entropy_gradient", relative(ours, grad(logits))
    problem = Problem(0, V=V, T=T, B=B, E=E, H=H)
    x, dh = random.standard_normal((T, B, E)), random.standard_normal((T, B, H))
    input_ = torch.from_numpy(x).requires_grad_()
    start = State(*map(torch.from_numpy, (problem.h0, problem.c0)))
    unroll(torch_lstm(problem.weights.cell), input_, start)[0].backward(torch.from_numpy(dh))
    trace = lstm.forward(problem.weights.cell, x, problem.h0, problem.c0)
    none = np.zeros((B, H))
    ours = lstm.backward(problem.weights.cell, trace, dh, none, none).x
    yield "BPTT, ∂L/∂x", "lstm.backward", relative(ours, grad(input_))
    _, theirs = autograd(problem)
    small = Problem(1, V=9, T=8, B=2, E=4, H=6)
    _, by_bptt = language_model.bptt(*problem.arguments)
    for name, array in arrays(theirs).items():
        yield f"BPTT, ∂L/∂{name}", "language_model.bptt", relative(arrays(by_bptt)[name], array)
    _, by_rtrl = rtrl.rtrl(*small.arguments)
    for name, array in arrays(autograd(small)[1]).items():
        yield f"RTRL, ∂L/∂{name}", "rtrl.rtrl", relative(arrays(by_rtrl)[name], array)


def an_rnn(random: np.random.Generator) -> rnn.Parameters:
    shapes = ((E, H), (H, H), (H,), (H, V), (V,))
    return rnn.Parameters(*(random.standard_normal(s) / np.sqrt(H) for s in shapes))


def rnn_rows() -> Iterator[tuple[str, str, float]]:
    random = np.random.default_rng(2)
    p, x, h0 = an_rnn(random), random.standard_normal((T, B, E)), random.standard_normal((B, H))
    targets = random.integers(V, size=(T, B))
    for last_only, where in ((True, "the last step"), (False, "every step")):
        (_, ours, ours_h0), (_, theirs, theirs_h0) = (
            f(p, x, targets, h0, last_only) for f in (rnn.bptt, rnn_autograd)
        )
        both = {**{n: (arrays(ours)[n], a) for n, a in arrays(theirs).items()}, "h0": (ours_h0, theirs_h0)}
        for name, (mine, other) in both.items():
            yield f"RNN, loss at {where}, ∂L/∂{name}", "rnn.bptt", relative(mine, other)


def slips() -> Iterator[tuple[str, str, str, str, float]]:
    """Yield (report, what it prints, what is right, the quantity that goes wrong, its relative error)."""
    s = steps.step_of(*CASE)
    wrong = one_step.dh_dg(s) * (s.g * (1 - s.g))
    yield (
        "3",
        "c̃ (1 − c̃)",
        "1 − c̃² (10)",
        "∂h_t/∂W_c",
        relative(wrong[:, None] * s.x[:, None], jacobian("W_c", s)),
    )
    random = np.random.default_rng(4)
    p = an_rnn(random)
    before, after = rnn.forward(p, random.standard_normal((T, 1, E)), np.zeros((1, H)))[-2:, 0]
    right, wrong = ((1 - h * h)[:, None] * p.W_hh.T for h in (after, before))
    yield "4", "tanh′ taken at h_{t−1}", "at h_t (34)", "RNN, ∂h_t/∂h_{t−1}", relative(wrong, right)
    q = s.p
    a_g = s.x @ q.W[:, 2 * H : 3 * H] + s.h_prev @ q.U[:, 2 * H : 3 * H] + q.b[2 * H : 3 * H]
    wrong_h = s.o * np.tanh(s.f * s.c_prev + s.i * one_step.sigmoid(a_g))
    yield "1", "c̃ = σ(net_c̃)", "tanh (3)", "h_t", relative(wrong_h, s.h)
    everywhere = one_step.forward(q._replace(b=np.tile(q.b[H : 2 * H], 4)), s.x, s.h_prev, s.c_prev).h
    yield "1", "b_f in every gate", "b_i, b_f, b_c, b_o (1 to 4)", "h_t", relative(everywhere, s.h)
    diagonals = [one_step.dh_di(s), one_step.dh_df(s), one_step.dh_dg(s), one_step.dh_do(s)]
    wrong = np.concatenate(diagonals, axis=1) @ q.U.T
    right = one_step.dh_dh_prev(s)
    yield (
        "0",
        "∂h/∂z without the gates' own derivatives",
        "with them (10, 11)",
        "∂h_t/∂h_{t−1}",
        relative(wrong, right),
    )
    for what, factor in (
        ("δc_t without its later part", 0.0),
        ("δc_t with its later part, but not times f", 1.0),
    ):
        yield "3", what, "δc_{t+1} ⊙ f_{t+1} added (18)", "∂L/∂U", wrong_carousel(factor)


def wrong_carousel(factor: float) -> float:
    """Return the error in ∂L/∂U when `factor` replaces f_t in equation 18."""
    problem = Problem(0, V=V, T=T, B=B, E=E, H=H)
    w, inputs, _, _, h0, c0 = problem.arguments
    trace = lstm.forward(w.cell, w.embedding[inputs], h0, c0)
    dh, none = np.random.default_rng(0).standard_normal((T, B, H)), np.zeros((B, H))
    right = lstm.backward(w.cell, trace, dh, none, none).U
    total, dh_next, dc_next = np.zeros_like(right), none, none
    for t in reversed(range(T)):
        cut = lstm.Trace(*(a[t : t + n] for a, n in zip(trace, (1, 1, 2, 2, 1), strict=True)))
        step = lstm.backward(w.cell, cut, dh[t : t + 1], dh_next, dc_next)
        total, dh_next = total + step.U, step.h0
        dc_next = factor * step.c0 / trace.gates[t, :, 1]
    return relative(total, right)


def table(headings: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [headings, ["---"] * len(headings), *rows])


def replaced(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def main() -> None:
    rows = [*one_step_rows(), *through_time_rows(), *rnn_rows()]
    measured = (
        f"`make gradients` on {datetime.date.today()}, float64, torch {torch.__version__}, NumPy {np.__version__}, "
        f"Python {platform.python_version()}; E = {E}, H = {H}; through time T = {T}, B = {B}, V = {V} "
        "(RTRL: T = 8, B = 2, V = 9, E = 4, H = 6). The error is the largest difference, relative to the largest entry."
    )
    errors = table(
        ["derivative", "function", "error against autograd"], [[w, f"`{f}`", f"{e:.1e}"] for w, f, e in rows]
    )
    wrong = table(
        ["report", "prints", "right is", "goes wrong", "by"],
        [[*words, f"{e:.2g}"] for *words, e in slips()],
    )
    growth = subprocess.run(
        [sys.executable, REPOSITORY / "benchmarks" / "rtrl.py"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    text = PAGE.read_text(encoding="utf-8")
    text = replaced(text, "errors", f"{measured}\n\n{errors}")
    text = replaced(text, "rtrl", f"`python benchmarks/rtrl.py` on {datetime.date.today()}: {growth}")
    PAGE.write_text(replaced(text, "slips", wrong), encoding="utf-8")
    worst = max(rows, key=lambda row: row[2])
    print(f"{display_path(PAGE)}: {len(rows)} derivatives, largest error {worst[2]:.1e} ({worst[0]})")


if __name__ == "__main__":
    main()
