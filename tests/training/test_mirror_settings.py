"""Which mirrors can be had, before the first run starts."""

import pytest

from tangsweep.errors import UserError
from tangsweep.training.mirror_settings import check_mirror, mirror_settings
from tests.conftest import parsed


@pytest.mark.parametrize(
    "target", ["os.getcwd", "os.nothing", "...", "nowhere.at.all", "x", "tangsweep.runs.mirror"]
)
def test_what_is_no_mirror_is_one_line(target: str, capfd: pytest.CaptureFixture[str]) -> None:
    [settings] = mirror_settings(parsed(f"++logger._target_='{target}'"))
    with pytest.raises(UserError) as raised:
        check_mirror(settings)
    line = str(raised.value)
    assert line.startswith(f"logger._target_={target} is no mirror, which has the methods replay, ")
    assert capfd.readouterr() == ("", "")
    assert line.endswith("choose one of conf/logger/ instead (csv, tensorboard, wandb)")


def test_mirrors_of_this_project_and_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for overrides in (["logger=wandb"], ["++logger._target_=tangsweep.runs.mirror.Mirrors"]):
        [settings] = mirror_settings(parsed(*overrides))
        check_mirror(settings)
