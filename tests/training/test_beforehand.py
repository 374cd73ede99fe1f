"""What is tried before the first run starts."""

import pytest

from tangsweep.errors import UserError
from tangsweep.kernels import library
from tangsweep.training import beforehand
from tests.conftest import QUIET, configured

WRONG = {
    "an option of another optimizer": (
        ["optimizer=adam", "optimizer._target_=torch.optim.SGD"], "unexpected keyword argument 'betas'",
    ),
    "no such class": (["optimizer._target_=torch.optim.Adan"], "Error locating target 'torch.optim.Adan'"),
    "options that do not go together": (
        ["optimizer=adam", "+optimizer.fused=true", "+optimizer.foreach=true"], "cannot be `True` together",
    ),
    "a schedule's option": (["scheduler=exponential", "+scheduler.rate=3"], "unexpected keyword argument 'rate'"),
    "nesterov without momentum": (["optimizer=nesterov", "optimizer.momentum=0"], "Nesterov momentum requires"),
}  # fmt: skip


@pytest.mark.parametrize("overrides, complaint", WRONG.values(), ids=WRONG)
def test_an_optimizer_that_cannot_be_made(overrides: list[str], complaint: str) -> None:
    right = configured(*QUIET)
    beforehand.check([right])
    with pytest.raises(UserError, match=complaint) as told:
        beforehand.check([right, configured(*QUIET, *overrides)])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("cell", ["lstm", "numpy_lstm"])
@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adam", "adagrad", "adadelta", "rmsprop"])
def test_every_optimizer_of_ours_can_be_made(name: str, cell: str) -> None:
    beforehand.check([configured(*QUIET, f"optimizer={name}", f"cell={cell}", "scheduler=cosine")])


def test_native_kernels_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(library, "missing", lambda real="float": "no C compiler (cc) was found")
    beforehand.check([configured("logger=csv"), configured("logger=csv", "seed=1")])
    assert capsys.readouterr().out == (
        "no native kernels: no C compiler (cc) was found; PyTorch computes, which is slower\n"
    )
    beforehand.check([configured("logger=csv", "cell.kernel=torch")])
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match=r"cell\.kernel=native: no C compiler .* take cell\.kernel=auto"):
        beforehand.check([configured("logger=csv", "cell.kernel=native")])
