"""A run that pauses itself and goes on ends with the same bits as one that never paused."""

import shlex

import pytest

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.runs.state import State, run_state
from tangsweep.training import run as training_run
from tests.conftest import DIVERGES_IN_EPOCH_2, RunCommand, configured, prepare
from tests.training.test_resume import POEMS, SETTINGS, Train, same, tale

__all__ = ["tale"]  # the fixture that writes a book


def folder_of(*overrides: str) -> RunFolder:
    return RunFolder(prepare(configured(*overrides), []).folder)


@pytest.mark.filterwarnings(
    "ignore:Detected call of `lr_scheduler"
)  # of a schedule that goes on from epoch 1
@pytest.mark.parametrize("setting", ["poems", "momentum, schedule", "cosine", "numpy", "book, carried state"])
def test_paused_twice_and_taken_up_equals_undisturbed(setting: str, train: Train) -> None:
    base = SETTINGS[setting]
    whole = train("sweep.name=whole", base=base)
    folder = folder_of(*base, "sweep.name=paused")
    for epoch in (1, 3):
        result = train("sweep.name=paused", f"pause_at={epoch}", "rerun=paused", base=base).result
        assert (result["status"], result["epochs"]) == ("paused", epoch)
        assert run_state(folder) is State.PAUSED
        assert max(row["epoch"] for row in MetricsFile(folder.metrics).rows()) == epoch
        assert not folder.result.exists()
    assert train("sweep.name=paused", "rerun=paused", base=base).result["status"] == "done"
    same(folder, whole.folder)
    assert not folder.paused.exists()


def test_a_pause_is_no_part_of_a_runs_identity() -> None:
    assert folder_of(*POEMS, "pause_at=2").path == folder_of(*POEMS).path


def test_a_paused_run_is_left_alone_until_it_is_asked_for(train: Train) -> None:
    train("pause_at=1", base=POEMS)
    assert train(base=POEMS).result == {"status": "paused", "skipped": True}
    assert train("rerun=failed", base=POEMS).result["skipped"]
    assert train("rerun=all", base=POEMS).result["status"] == "done"


@pytest.mark.parametrize(
    "overrides",
    [("trainer.max_epochs=2",), ("trainer.patience=1", "optimizer.lr=0.5"), DIVERGES_IN_EPOCH_2],
    ids=["last epoch", "patience", "diverging"],
)
def test_a_run_that_ends_first_does_not_pause(train: Train, overrides: tuple[str, ...]) -> None:
    base = (*POEMS, *overrides)
    whole = train("sweep.name=whole", base=base)
    epoch = whole.result["epochs"] + (whole.result["status"] == "diverged")
    result = train(f"pause_at={epoch}", base=base).result
    assert result["status"] == whole.result["status"]
    assert result["steps"] == whole.result["steps"]


def test_killed_between_the_checkpoint_and_the_mark_it_pauses_at_once(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train("sweep.name=whole", base=POEMS)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    folder = folder_of(*POEMS, "sweep.name=x")
    with monkeypatch.context() as patched:
        patched.setattr(training_run, "restore_metrics", killed)
        with pytest.raises(KeyboardInterrupt):
            train("sweep.name=x", "pause_at=2", base=POEMS)
    assert run_state(folder) is State.INTERRUPTED
    before = folder.metrics.read_bytes()
    assert train("sweep.name=x", "pause_at=2", base=POEMS).result["status"] == "paused"
    assert folder.metrics.read_bytes() == before
    train("sweep.name=x", "rerun=paused", base=POEMS)
    same(folder, whole.folder)


def test_the_command_says_how_to_go_on(run_command: RunCommand) -> None:
    line = f"train {shlex.join(POEMS)} sweep.name=s"
    status, out, _ = run_command(f"{line} pause_at=2")
    assert status == 0
    assert "paused after epoch 2; rerun=paused takes it up again" in " ".join(out.split())
    assert "paused; rerun=paused takes it up again" in " ".join(run_command(line).out.split())
    status, out, _ = run_command(f"{line} rerun=paused")
    assert (status, "done" in out) == (0, True)
