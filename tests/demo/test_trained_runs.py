"""Which trained runs the page offers, and the run that it trains if there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.demo import trained_runs
from tangsweep.errors import UserError
from tests.conftest import QUIET, SMALL, Ran


def test_a_checkpoint_of_lightnings_own_trainer(home: Path) -> None:
    import pytorch_lightning as L
    from pytorch_lightning.callbacks import ModelCheckpoint

    from tangsweep.data_modules.tang import TangDataModule
    from tangsweep.training.module import LanguageModelModule

    data = TangDataModule(corpus="sample", poems=30, batch_size=8)
    data.setup()
    best = ModelCheckpoint(dirpath=home / "outputs" / "mine" / "plain" / "checkpoints", filename="best")
    silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", callbacks=[best], **silent)  # type: ignore[arg-type]
    trainer.fit(LanguageModelModule(data.tokens, hidden_size=8), datamodule=data)
    assert trained_runs.offered_runs() == {"mine/plain": "mine/plain"}
    assert trained_runs.cached_model(trained_runs.offered_run_folder("mine/plain")).model.hidden_size == 8


def test_only_runs_of_poems_under_outputs_are_offered(
    train: Callable[..., Ran], home: Path, tmp_path: Path
) -> None:
    import shutil

    assert trained_runs.offered_runs() == {}
    folder = train(base=(*SMALL, *QUIET)).folder
    name = folder.path.relative_to(home / "outputs").as_posix()
    [(offered, label)] = trained_runs.offered_runs().items()
    assert offered == name
    assert label.startswith(f"{name} (dev ppl ")
    offered_folder = trained_runs.offered_run_folder(name)
    assert offered_folder.path == folder.path
    assert trained_runs.cached_model(offered_folder) is trained_runs.cached_model(offered_folder)
    assert trained_runs.run_quality(offered_folder) is None
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder.path, elsewhere)
    (folder.path.parent / "linked").symlink_to(elsewhere)
    shutil.copytree(folder.path, folder.path.with_name(f"{folder.path.name}.replaced-1"))
    other = folder.path.with_name("other")
    shutil.copytree(folder.path, other)
    (other / "config.yaml").write_text("corpus: {task: book}\n")
    assert list(trained_runs.offered_runs()) == [name]
    for other_name in (
        "../elsewhere",
        str(elsewhere),
        f"{folder.path.parent.name}/linked",
        "",
        "nowhere/at-all",
    ):
        with pytest.raises(UserError, match="not, or no longer, under outputs/"):
            trained_runs.offered_run_folder(other_name)


def test_a_failed_training_gives_the_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        trained_runs, "FIRST_RUN_COMMAND", (*trained_runs.FIRST_RUN_COMMAND, "optimizer.lr=-1")
    )
    with pytest.raises(UserError, match=r"training failed: error: optimizer\.lr=-1 is invalid"):
        list(trained_runs.train_first_run())
