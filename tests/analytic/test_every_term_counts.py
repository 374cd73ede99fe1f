"""Break each formula in turn, one term or factor at a time, and see its check fail."""

import ast
import inspect
import textwrap
import types
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from tangsweep.analytic import gradient_flow, language_model, lstm, one_step, rnn, rtrl, softmax
from tests.analytic import test_gradient_flow as flow_tests
from tests.analytic import test_one_step as one_step_tests
from tests.analytic.reference import Problem, arrays, autograd, rnn_autograd

KEPT_CALLS = {"expect_shape", "expect_ids", "expect_nonempty", "check_shapes", "_check_shapes", "reshape", "zeros", "zeros_like", "empty",
              "empty_like", "full", "arange", "len", "float", "Trace", "Layout", "Influence", "errstate", "any"}  # fmt: skip


def spoiled(value: ast.expr) -> ast.BinOp:
    return ast.BinOp(value, ast.Mult(), ast.Constant(float("nan")))


class Drop(ast.NodeTransformer):
    """Leave out one operand of the chosen operation, one function (f(x) → x), one summand, or one effect."""

    def __init__(self, target: ast.AST, side: int) -> None:
        self.target, self.side = target, side

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if node is not self.target:
            return node
        match node:
            case ast.BinOp():
                return node.left if self.side else node.right
            case ast.Assign():  # NaN rather than nothing: an uninitialized array may hold the right values
                node.value = spoiled(node.value)
                return node
            case ast.Expr(value=ast.Call(keywords=[_, *_]) as call):  # f(x, out=y)
                call.args[0] = spoiled(call.args[0])
                return node
            case ast.AugAssign() | ast.Expr():
                return ast.Pass()
            case ast.UnaryOp():
                return node.operand
            case ast.List():  # of a concatenation
                node.elts[self.side] = ast.BinOp(node.elts[self.side], ast.Mult(), ast.Constant(0))
                return node
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr="multiply")):
                node.args[self.side] = ast.Constant(1.0)
                return node
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"))):
                return node.args[0]
            case ast.Call(func=ast.Attribute() as method):  # x.sum(...) → x[0]
                return ast.Subscript(method.value, ast.Constant(0), ast.Load())
            case ast.Call():
                return node.args[0]
        raise AssertionError(node)


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def places_to_break(tree: ast.AST) -> list[tuple[ast.AST, int]]:
    """Return (node, side) of everything that `Drop` can leave out."""
    places: list[tuple[ast.AST, int]] = []
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.MatMult()):
                places += [(node, 0), (node, 1)]
            case ast.AugAssign(op=ast.Add() | ast.Sub() | ast.Mult()) | ast.UnaryOp(op=ast.USub()):
                places.append((node, 0))
            case ast.Assign(targets=[ast.Subscript()]):
                places.append((node, 0))
            case ast.Expr(value=ast.Call() as call) if called(call) not in KEPT_CALLS | {"multiply"}:
                places.append((node, 0))
            case ast.Call(args=[ast.List() as summands, *_]) if called(node) == "concatenate":
                places += [(summands, k) for k in range(len(summands.elts))]
            case ast.Call(args=[_, _, *_]) if called(node) == "multiply":
                places += [(node, 0), (node, 1)]
            case ast.Call() if called(node) in {"tanh", "exp", "log", "sigmoid", "diag", "logaddexp"}:
                places.append((node, 0))
            case ast.Call(func=ast.Attribute()) if called(node) in {"sum", "max"}:
                places.append((node, 0))
    return places


def broken(function: Callable) -> Iterator[tuple[str, types.FunctionType]]:  # type: ignore[type-arg]
    """Yield the function with one term, factor, function or effect left out, for each that it has."""
    source = textwrap.dedent(inspect.getsource(function))
    for index, (node, side) in enumerate(places_to_break(ast.parse(source))):
        tree = ast.parse(source)
        target, _ = places_to_break(tree)[index]
        mutated = ast.fix_missing_locations(Drop(target, side).visit(tree))
        namespace = dict(vars(inspect.getmodule(function)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # 1[...] and the like: they fail when run
            exec(compile(mutated, "<broken>", "exec"), namespace)
        yield f"{function.__name__}: {ast.unparse(node)} without part {side}", namespace[function.__name__]


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


def check_softmax() -> bool:
    logits = np.random.default_rng(14).uniform(-2e3, 2e3, (4, 6))
    targets = np.array([0, 5, 2, 2])
    nats, _ = softmax.cross_entropy(logits, targets)
    theirs = torch.nn.functional.cross_entropy(*map(torch.from_numpy, (logits, targets)), reduction="none")
    return np.allclose(nats, theirs, rtol=1e-12)


def check_flow() -> bool:
    try:
        flow_tests.test_lstm_norms_against_autograd()
        flow_tests.test_rnn_norms_against_autograd_and_powers()
        flow_tests.test_jacobians_of_c_by_central_differences()
    except AssertionError:
        return False
    return True


def check_one_step() -> bool:
    for name in one_step_tests.NAMES:
        try:
            one_step_tests.test_against_autograd(one_step_tests.CASES[1], name)
        except AssertionError:
            return False
    try:
        one_step_tests.test_the_forward_values()
    except AssertionError:
        return False
    return check_flow()


FORMULAS = [
    *((lstm, name, check_lm) for name in ("forward", "activate", "backward", "_local_derivatives")),
    *((softmax, name, check_lm) for name in ("cross_entropy_gradient",)),
    (softmax, "cross_entropy", check_softmax),
    *((language_model, name, check_lm) for name in ("forward", "backward", "loss", "bptt")),
    *(
        (rtrl, name, check_rtrl)
        for name in ("rtrl", "step", "_preactivation_influence", "_initial_influence")
    ),
    *((rnn, name, check_rnn) for name in ("forward", "bptt", "_through_time")),
    *((gradient_flow, name, check_flow) for name in ("lstm_norms", "rnn_norms")),
    *(
        (one_step, n, check_one_step)
        for n in vars(one_step)
        if n.startswith(("dh_", "dc_", "_outer")) or n == "forward"
    ),
]


def holds(check: Callable[[], bool]) -> bool:
    try:
        with np.errstate(all="ignore"):
            return check()
    except (ValueError, IndexError, TypeError, AttributeError, ArithmeticError):
        return False


@pytest.mark.parametrize(("module", "name", "check"), FORMULAS, ids=lambda v: getattr(v, "__name__", v))
def test_nothing_can_be_left_out(
    module: types.ModuleType, name: str, check: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert holds(check)
    original = getattr(module, name)
    mutants = list(broken(original))
    if module is one_step and name != "forward":
        mutants.append((f"{name} scaled", lambda *a: original(*a) * (1 + 1e-8)))
    survived = []
    for what, mutant in mutants:
        for user in (
            module,
            language_model,
            rtrl,
            rnn,
            gradient_flow,
        ):  # a function is also known where it was imported
            if getattr(user, name, None) is original:
                monkeypatch.setattr(user, name, mutant)
        if holds(check):
            survived.append(what)
        monkeypatch.undo()
    assert mutants or name == "bptt"
    assert survived == []
