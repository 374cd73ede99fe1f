"""What is tried before the first run starts."""

import pytest

from tangsweep.errors import UserError
from tangsweep.kernels import native
from tangsweep.tasks.registry import parse_config
from tangsweep.training import optimizer_factories, prepare
from tests.conftest import QUIET, configured, parsed

WRONG = {
    "an option of another optimizer": (
        ["optimizer=adam", "optimizer._target_=torch.optim.SGD"], r"torch.optim.SGD takes no optimizer.betas; see",
    ),
    "no such class": (["optimizer._target_=torch.optim.Adan"], r"did you mean torch.optim.Adam\?"),
    "options that do not go together": (
        ["optimizer=adam", "+optimizer.fused=true", "+optimizer.foreach=true"], "cannot be `True` together",
    ),
    "a schedule's option": (["scheduler=exponential", "+scheduler.rate=3"], "takes no scheduler.rate"),
    "nesterov without momentum": (["optimizer=nesterov", "optimizer.momentum=0"], "Nesterov momentum requires"),
}  # fmt: skip


@pytest.mark.parametrize("overrides, complaint", WRONG.values(), ids=WRONG)
def test_an_optimizer_that_cannot_be_made(overrides: list[str], complaint: str) -> None:
    right = parsed(*QUIET)
    prepare.check_before_training([right])
    with pytest.raises(UserError, match=complaint) as told:
        prepare.check_before_training([right, parsed(*QUIET, *overrides)])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("group", ["optimizer", "scheduler"])
def test_a_file_may_leave_out_that_it_is_called_later(group: str) -> None:
    values = configured(*QUIET, "scheduler=exponential")
    del values[group]["_partial_"]
    prepare.check_before_training([parse_config(values)])


@pytest.mark.parametrize("cell", ["lstm", "numpy_lstm"])
@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adam", "adagrad", "adadelta", "rmsprop"])
def test_every_optimizer_of_ours_can_be_made(name: str, cell: str) -> None:
    prepare.check_before_training([parsed(*QUIET, f"optimizer={name}", f"cell={cell}", "scheduler=cosine")])


def test_native_kernels_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(native, "why_unavailable", lambda real="float": "no C compiler (cc) was found")
    prepare.check_before_training([parsed("logger=csv"), parsed("logger=csv", "seed=1")])
    assert capsys.readouterr().out == (
        "no native kernels: no C compiler (cc) was found; PyTorch computes, which is slower\n"
    )
    prepare.check_before_training([parsed("logger=csv", "cell.kernel=torch")])
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match=r"cell\.kernel=native: no C compiler .* use cell\.kernel=auto"):
        prepare.check_before_training([parsed("logger=csv", "cell.kernel=native")])


def test_an_optimizer_of_an_extra_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizer_factories, "EXTRAS", {"absent_package": "optimizers"})
    config = parsed("optimizer=soap", "optimizer._target_=absent_package.SOAP")
    with pytest.raises(
        UserError, match=r"absent_package\.SOAP needs absent_package: pip install .*optimizers"
    ):
        optimizer_factories.optimizer_factories(config)
