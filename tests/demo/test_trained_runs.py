"""Which trained runs the page offers, and the run that it trains if there is none."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.demo import poem_html, trained_runs
from tangsweep.errors import UserError
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tests.conftest import QUIET, SMALL, Ran, made


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
        names = {name.partition("/")[2] for name in trained_runs.offered_runs()}
        assert names == {folder.path.name, *(f"record-{number}" for number in range(len(RECORDS)))}
    for name in names:
        offered = trained_runs.offered_run_folder(f"{folder.path.parent.name}/{name}")
        assert poem_html.quality_html(trained_runs.run_quality(offered))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(CONFIGS) + 1  # once each, and the name that is no text
    assert all("its run is left out, train it anew" in line for line in said)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def test_a_failed_training_gives_the_reason(
    home: Path, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        trained_runs, "FIRST_RUN_COMMAND", (*trained_runs.FIRST_RUN_COMMAND, "optimizer.lr=-1")
    )
    with pytest.raises(UserError, match=r"training failed: error: optimizer\.lr=-1 is invalid"):
        list(trained_runs.train_first_run())


def test_the_first_run_reads_the_sample_only_without_a_network(offline: None) -> None:
    assert trained_runs._first_run_corpus() == ("corpus=sample", "data.poems=null")


def test_the_first_run_reads_the_complete_tang_poems(
    tang_folder: Path, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANGSWEEP_DATA", str(tang_folder))
    assert trained_runs._first_run_corpus() == ("data.poems=2000",)


STEPS = trained_runs.FIRST_RUN_STEPS
HESITATES = "; in poems that it has not read it hesitates between {} characters, on average"


@pytest.mark.parametrize(
    ("rows", "share", "description"),
    [
        ([], 0.0, "starting PyTorch: 7 s"),
        (
            [{"step": 0, "epoch": 0, "val/perplexity": 3000.0}, {"step": STEPS // 4, "epoch": 1}],
            0.25,
            f"step {STEPS // 4} of at most {STEPS}",
        ),
        (
            [
                {"step": 1, "epoch": 1, "val/perplexity": 612.34},
                {"step": STEPS // 2, "epoch": 2, "val/perplexity": 700.0},
            ],
            0.5,
            f"step {STEPS // 2} of at most {STEPS}{HESITATES.format(612)}",
        ),
    ],
)
def test_how_far_the_first_run_is(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: list[dict[str, float]],
    share: float,
    description: str,
) -> None:
    monkeypatch.setattr(trained_runs.time, "time", lambda: 1007.0)
    for name, time in (("before", 900), ("now", 1003)):
        folder = made(home / "outputs" / trained_runs.FIRST_RUN_SWEEP / name)
        file = MetricsFile(folder.metrics)
        for row in rows if name == "now" else [{"step": STEPS, "epoch": 9, "val/perplexity": 1.0}]:
            file.append({"epoch": 1, **row})
        file.close()
        if folder.metrics.exists():
            os.utime(folder.metrics, (time, time))
    assert trained_runs._first_run_progress(1000.0) == (share, description)
