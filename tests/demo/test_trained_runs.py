"""Which trained models the page offers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep import bundled_model
from tangsweep.demo import poem_html, trained_runs
from tangsweep.errors import UserError
from tangsweep.runs.folder import RunFolder
from tests.conftest import QUIET, SMALL, Ran


def own_runs() -> dict[str, str]:
    """The offered runs but for the bundled model, which comes first."""
    first, *others = trained_runs.offered_runs().items()
    assert first[0] == trained_runs.BUNDLED
    return dict(others)


def test_the_bundled_model_is_offered_first_unless_it_is_damaged(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert next(iter(trained_runs.offered_runs().values())).startswith("the bundled model (dev ppl ")
    folder = trained_runs.offered_run_folder(trained_runs.BUNDLED)
    assert folder.path == bundled_model.BUNDLED_MODEL
    assert trained_runs.run_quality(folder) is not None
    monkeypatch.setattr(bundled_model, "BUNDLED_MODEL", home / "nothing")
    assert trained_runs.offered_runs() == {}
    assert "git checkout data/model" in capsys.readouterr().out
    with pytest.raises(UserError, match="no longer"):
        trained_runs.offered_run_folder(trained_runs.BUNDLED)


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
    assert own_runs() == {"mine/plain": "mine/plain"}
    assert trained_runs.cached_model(trained_runs.offered_run_folder("mine/plain")).model.hidden_size == 8


def test_only_runs_of_poems_under_outputs_are_offered(
    train: Callable[..., Ran], home: Path, tmp_path: Path
) -> None:
    assert own_runs() == {}
    folder = train(base=(*SMALL, *QUIET)).folder
    name = folder.path.relative_to(home / "outputs").as_posix()
    [(offered, label)] = own_runs().items()
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
    assert list(own_runs()) == [name]
    for other_name in (
        "../elsewhere",
        str(elsewhere),
        f"{folder.path.parent.name}/linked",
        "",
        "nowhere/at-all",
    ):
        with pytest.raises(UserError, match="not, or no longer, under outputs/"):
            trained_runs.offered_run_folder(other_name)


CONFIGS = (b"\xff", b"[1]", b"corpus: 5", b"{unclosed: [", b"a: 2020-99-99", b"&x [*x]", b"", b"\x00")
RECORDS = (
    b"\xff", b"[", b"[" * 100_000, b'{"status": "done", "\\ud800": 1}', b'{"status": "done", "dev": {"perplexity": []}}',
    b'{"status": "done", "dev": {"perplexity": 1e999}, "quality": {"free": 5}}',
)  # fmt: skip


def test_damaged_files_hide_no_other_run(
    train: Callable[..., Ran], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(base=(*SMALL, *QUIET)).folder
    for number, config in enumerate(CONFIGS):
        odd = RunFolder(shutil.copytree(folder.path, folder.path.with_name(f"config-{number}")))
        odd.config.write_bytes(config)
    for number, record in enumerate(RECORDS):
        odd = RunFolder(shutil.copytree(folder.path, folder.path.with_name(f"record-{number}")))
        odd.result.write_bytes(record)
    shutil.copytree(folder.path, Path(f"{folder.path}-\udcff"))
    (folder.path.with_name("gone") / "checkpoints").mkdir(parents=True)
    (folder.path.with_name("gone") / "checkpoints" / "best.ckpt").symlink_to("best.ckpt")
    capsys.readouterr()
    for _ in range(2):
        names = {name.partition("/")[2] for name in own_runs()}
        assert names == {folder.path.name, *(f"record-{number}" for number in range(len(RECORDS)))}
    for name in names:
        offered = trained_runs.offered_run_folder(f"{folder.path.parent.name}/{name}")
        assert poem_html.quality_html(trained_runs.run_quality(offered))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(CONFIGS) + 1  # once each, and the name that is no text
    assert all("its run is left out, train it anew" in line for line in said)
