"""Regenerates the tables of docs/gradients.md: each formula's error against torch's autograd, and what
the slips in published tables would give. `make gradients` calls it: python -m tests.analytic.errors
"""

import datetime
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from tangsweep import places
from tangsweep.analytic import language_model, one_step, rnn, rtrl
from tangsweep.analytic.one_step import Step
from tests.analytic import test_one_step as steps
from tests.analytic.reference import Problem, arrays, autograd, rnn_autograd

PAGE = places.REPOSITORY / "docs" / "gradients.md"
E, H, T, B, V = 8, 16, 20, 4, 50
CASE = (0, E, H, 1.0, 0.0)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, relative to the largest entry."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def jacobian(name: str, s: Step) -> np.ndarray:
    value = torch.from_numpy(steps.values(s)[name])
    return torch.autograd.functional.jacobian(steps.h_of(name, s), value).numpy()


def one_step_rows() -> Iterator[tuple[str, str, float]]:
    s = steps.step_of(*CASE)
    for name in steps.NAMES:
        yield f"∂h_t/∂{name}", f"one_step.dh_d{name}", relative(steps.ours(name, s), jacobian(name, s))


def through_time_rows() -> Iterator[tuple[str, str, float]]:
    problem = Problem(0, V=V, T=T, B=B, E=E, H=H)
    _, theirs = autograd(problem)
    small = Problem(1, V=9, T=8, B=2, E=4, H=6)
    for name, array in arrays(theirs).items():
        ours = language_model.bptt(*problem.arguments)[1]
        yield f"BPTT, ∂L/∂{name}", "language_model.bptt", relative(arrays(ours)[name], array)
    for name, array in arrays(autograd(small)[1]).items():
        ours = rtrl.rtrl(*small.arguments)[1]
        yield f"RTRL, ∂L/∂{name}", "rtrl.rtrl", relative(arrays(ours)[name], array)


def rnn_rows() -> Iterator[tuple[str, str, float]]:
    random = np.random.default_rng(2)
    scale = 1 / np.sqrt(H)
    p = rnn.Parameters(*(random.standard_normal(s) * scale for s in ((E, H), (H, H), H, (H, V), V)))
    x, h0 = random.standard_normal((T, B, E)), random.standard_normal((B, H))
    targets = random.integers(V, size=(T, B))
    for last_only, where in ((True, "the last step"), (False, "every step")):
        ours, theirs = (f(p, x, targets, h0, last_only)[1] for f in (rnn.bptt, rnn_autograd))
        for name, array in arrays(theirs).items():
            yield f"RNN, loss at {where}, ∂L/∂{name}", "rnn.bptt", relative(arrays(ours)[name], array)


def slips() -> Iterator[tuple[str, str, str, float]]:
    """(report, what it prints, what is right, relative error of what it prints)."""
    s = steps.step_of(*CASE)
    right = jacobian("W_c", s)
    wrong = one_step.dh_dg(s) * (s.g * (1 - s.g))
    yield "3", "c̃ (1 − c̃)", "1 − c̃² (10)", relative(wrong[:, None, :] * s.x[None, :, None], right)
    p = s.p
    hs = (s.h_prev, np.tanh(s.x @ p.W[:, :H] + s.h_prev @ p.U[:, :H]))  # a vanilla RNN's h_{t−1} and h_t
    right = (1 - hs[1] ** 2)[:, None] * p.U[:, :H].T
    wrong = (1 - hs[0] ** 2)[:, None] * p.U[:, :H].T
    yield "4", "tanh′ taken at h_{t−1}: 1 − h_{t−1}²", "1 − h_t² (34)", relative(wrong, right)
    a_g = s.x @ p.W[:, 2 * H : 3 * H] + s.h_prev @ p.U[:, 2 * H : 3 * H] + p.b[2 * H : 3 * H]
    sigma = one_step.sigmoid(a_g)
    wrong_h = s.o * np.tanh(s.f * s.c_prev + s.i * sigma)
    yield "1", "c̃ = σ(net_c̃)", "tanh (3)", relative(wrong_h, s.h)
    b_f = p.b[H : 2 * H]
    everywhere = one_step.run(p._replace(b=np.tile(b_f, 4)), s.x, s.h_prev, s.c_prev).h
    yield "1", "b_f in every gate", "b_i, b_f, b_c, b_o (1 to 4)", relative(everywhere, s.h)
    diagonals = [one_step.dh_di(s), one_step.dh_df(s), one_step.dh_dg(s), one_step.dh_do(s)]
    wrong = np.concatenate(diagonals, axis=1) @ p.U.T
    yield (
        "0",
        "∂h/∂z without the gates' own derivatives",
        "with them (10, 11)",
        relative(wrong, one_step.dh_dh_prev(s)),
    )
    yield "3", "∂C/∂c_t without the products of f", "with them (18)", truncated_carousel()


def truncated_carousel() -> float:
    """The error in ∂L/∂U when dc_next of equation 18 is left out."""
    from tangsweep.analytic import lstm

    problem = Problem(0, V=V, T=T, B=B, E=E, H=H)
    w, inputs, _, _, h0, c0 = problem.arguments
    trace = lstm.forward(w.cell, w.embedding[inputs], h0, c0)
    dh, none = np.random.default_rng(0).standard_normal((T, B, H)), np.zeros((B, H))
    right = lstm.backward(w.cell, trace, dh, none, none).U
    total = np.zeros_like(right)
    carried = none
    for t in reversed(range(T)):  # step by step, handing on dh alone
        cut = lstm.Trace(
            trace.x[t : t + 1],
            trace.gates[t : t + 1],
            trace.c[t : t + 2],
            trace.h[t : t + 2],
            trace.tanh_c[t : t + 1],
        )
        step = lstm.backward(w.cell, cut, dh[t : t + 1], carried, none)
        total, carried = total + step.U, step.h0
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
        ["report", "prints", "right is", "relative error of the printed one"],
        [[r, w, c, f"{e:.2g}"] for r, w, c, e in slips()],
    )
    text = PAGE.read_text(encoding="utf-8")
    text = replaced(text, "errors", f"{measured}\n\n{errors}")
    Path(PAGE).write_text(replaced(text, "slips", wrong), encoding="utf-8")
    worst = max(rows, key=lambda row: row[2])
    print(
        f"{PAGE.relative_to(places.REPOSITORY)}: {len(rows)} derivatives, largest error {worst[2]:.1e} ({worst[0]})"
    )


if __name__ == "__main__":
    main()
