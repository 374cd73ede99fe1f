"""Break each formula in turn, one term or factor at a time, and see its check fail."""

import ast
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tangsweep.analytic import language_model, lstm, one_step, rnn, rtrl, softmax
from tests.analytic import test_one_step as one_step_tests
from tests.analytic.reference import Problem, arrays, autograd, rnn_autograd


class Drop(ast.NodeTransformer):
    """Leaves one operand of the chosen operation out, or the whole of a chosen `x += y`."""

    def __init__(self, target: ast.AST, side: str) -> None:
        self.target, self.side = target, side

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return getattr(node, self.side) if node is self.target else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Pass() if node is self.target else node


def operations(tree: ast.AST) -> list[ast.BinOp | ast.AugAssign]:
    kinds = ast.Add | ast.Sub | ast.Mult | ast.MatMult
    found = [n for n in ast.walk(tree) if isinstance(n, ast.BinOp | ast.AugAssign)]
    return [n for n in found if isinstance(n.op, kinds)]


def broken(function: Callable) -> Iterator[tuple[str, types.FunctionType]]:  # type: ignore[type-arg]
    """The function with one operand of one +, −, * or @ left out, or one += undone, for each of them."""
    source = textwrap.dedent(inspect.getsource(function))
    for index, operation in enumerate(operations(ast.parse(source))):
        for side in ("left", "right") if isinstance(operation, ast.BinOp) else ("left",):
            tree = ast.parse(source)
            mutated = ast.fix_missing_locations(Drop(operations(tree)[index], side).visit(tree))
            namespace = dict(vars(inspect.getmodule(function)))
            exec(compile(mutated, "<broken>", "exec"), namespace)
            what = f"{function.__name__}: {ast.unparse(operation)} → {side}"
            yield what, namespace[function.__name__]


def differ(ours: object, theirs: object) -> bool:
    a, b = arrays(ours), arrays(theirs)
    return any(a[n].shape != b[n].shape or not np.allclose(a[n], b[n], rtol=1e-10, atol=1e-10) for n in b)


def check_lm() -> bool:
    problem = Problem(11)
    value, gradients = language_model.bptt(*problem.arguments)
    expected, theirs = autograd(problem)
    return abs(value - expected) < 1e-12 and not differ(gradients, theirs)


def check_rtrl() -> bool:
    problem = Problem(12, V=4, T=4, B=2, E=3, H=4)
    return not differ(rtrl.rtrl(*problem.arguments)[1], autograd(problem)[1])


def check_rnn() -> bool:
    random = np.random.default_rng(13)
    p = rnn.Parameters(*(random.standard_normal(s) for s in ((3, 4), (4, 4), 4, (4, 5), 5)))
    x, h0, targets = (
        random.standard_normal((5, 2, 3)),
        random.standard_normal((2, 4)),
        random.integers(5, size=(5, 2)),
    )
    for last_only in (True, False):
        ours, theirs = (f(p, x, targets, h0, last_only) for f in (rnn.bptt, rnn_autograd))
        if differ(ours[1], theirs[1]) or not np.allclose(ours[2], theirs[2], rtol=1e-10, atol=1e-10):
            return False
    return True


THROUGH_TIME = [
    (lstm, "backward", check_lm),
    (lstm, "_local_derivatives", check_lm),
    (lstm, "forward", check_lm),
    (softmax, "cross_entropy_gradient", check_lm),
    (language_model, "backward", check_lm),
    (rtrl, "step", check_rtrl),
    (rtrl, "_preactivation_influence", check_rtrl),
    (rnn, "bptt", check_rnn),
    (rnn, "_through_time", check_rnn),
    (rnn, "forward", check_rnn),
]


def holds(check: Callable[[], bool]) -> bool:
    try:
        with np.errstate(all="ignore"):
            return check()
    except (ValueError, IndexError, TypeError, AttributeError, ArithmeticError):
        return False


@pytest.mark.parametrize(("module", "name", "check"), THROUGH_TIME, ids=lambda v: getattr(v, "__name__", v))
def test_through_time(
    module: types.ModuleType, name: str, check: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert holds(check)
    original = getattr(module, name)
    survived, tried = [], 0
    for what, mutant in broken(original):
        tried += 1
        for user in (module, language_model, rtrl, rnn):  # a function is also known where it was imported
            if getattr(user, name, None) is original:
                monkeypatch.setattr(user, name, mutant)
        if holds(check):
            survived.append(what)
        monkeypatch.undo()
    assert tried >= 1
    assert survived == []


FORMULAS = [name for name in vars(one_step) if name.startswith(("dh_", "_outer"))]


@pytest.mark.parametrize("name", FORMULAS)
def test_one_step_formulas(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def caught() -> bool:
        for checked in one_step_tests.NAMES:
            try:
                one_step_tests.test_against_autograd(one_step_tests.CASES[1], checked)
            except (AssertionError, ValueError):
                return True
        return False

    original = getattr(one_step, name)
    assert not caught()
    for what, mutant in [*broken(original), ("scaled", lambda *a: original(*a) * (1 + 1e-9))]:
        monkeypatch.setattr(one_step, name, mutant)
        assert caught(), what
        monkeypatch.undo()
