"""LanguageModelModule and the data modules with Lightning's own trainer, and nothing of ours in between."""

import csv
import inspect
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as L
import torch
import yaml
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, StochasticWeightAveraging
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.tuner import Tuner

from tangsweep.batches.batch import RunBatches
from tangsweep.checkpoint import load_model
from tangsweep.data_modules.book import BookDataModule
from tangsweep.data_modules.data_module import LanguageDataModule
from tangsweep.data_modules.palindromes import PalindromeDataModule
from tangsweep.data_modules.tang import TangDataModule
from tangsweep.data_modules.waves import WaveDataModule
from tangsweep.errors import UserError
from tangsweep.evaluation.scores import evaluate
from tangsweep.training.module import LanguageModelModule
from tests.conftest import QUIET, Ran, configured

Train = Callable[..., Ran]
POEMS = ("corpus=sample", "data.poems=60", "model.hidden_size=8", "model.embed_size=8", *QUIET)
SILENT: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_checkpointing": False,
    "enable_model_summary": False,
}
fused = partial(torch.optim.Adam, fused=True)  # as runs have it


class Losses(L.Callback):
    """The loss of every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, *_: object) -> None:
        self.values.append(float(outputs["loss"]))


def poems(**options: Any) -> TangDataModule:
    data = TangDataModule(**{"corpus": "sample", "poems": 60, **options})
    data.setup()
    return data


def module_for(data: LanguageDataModule, **options: Any) -> LanguageModelModule:
    options = {"hidden_size": 8, "embed_size": 8, "pad_id": data.pad_id, "task": data.task, **options}
    return LanguageModelModule(data.tokens, data.inputs, **options)


def fitted(data: LanguageDataModule, module: LanguageModelModule, **options: Any) -> L.Trainer:
    trainer = L.Trainer(**{**SILENT, "max_epochs": 2, **options})
    trainer.fit(module, datamodule=data)
    return trainer


def logged(folder: Path, name: str) -> list[float]:
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


CASES: dict[str, tuple[tuple[str, ...], Callable[[], LanguageDataModule], dict[str, Any], dict[str, Any]]] = {
    "poems": ((), poems, {"optimizer": fused}, {}),
    "dropout, clipping, schedule": (
        (
            "model.dropout=0.3",
            "trainer.gradient_clip_val=0.2",
            "scheduler=exponential",
            "scheduler.gamma=0.5",
        ),
        poems,
        {
            "dropout": 0.3,
            "optimizer": fused,
            "scheduler": partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5),
        },
        {"gradient_clip_val": 0.2},
    ),
    "padding scored": (
        ("data.pad=fixed", "data.score_pads=true", "data.batch_size=3", "init=xavier", "cell=gru"),
        lambda: poems(pad="fixed", score_pads=True, batch_size=3),
        {"init": "xavier", "cell": "gru", "optimizer": fused},
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_losses_and_scores_equal_those_of_a_run(case: str, train: Train) -> None:
    overrides, make_data, module_options, trainer_options = CASES[case]
    run = train(*overrides, "trainer.max_epochs=2", "trainer.log_every=1", base=POEMS)
    data, losses = make_data(), Losses()
    module = module_for(data, **module_options)
    trainer = fitted(data, module, callbacks=[losses], **trainer_options)
    by_run = logged(run.folder.path, "train/loss")
    assert len(losses.values) == len(by_run)
    if data.pad_id is None:  # else a run logs the loss of the text alone
        assert losses.values[:50] == pytest.approx(by_run[:50], rel=1e-6)
    assert float(trainer.callback_metrics["val/perplexity"]) == pytest.approx(
        run.result["last"]["dev"]["perplexity"], rel=1e-9
    )
    weights = torch.load(run.folder.last, weights_only=True)["state_dict"]
    assert all(torch.equal(weights[name], value) for name, value in module.state_dict().items())


@pytest.mark.parametrize(("precision", "rel"), [("32-true", 1e-6), ("64-true", 1e-9), ("bf16-true", 1e-6)])
def test_validation_gives_our_scores(precision: Any, rel: float) -> None:
    data = poems(batch_size=4)
    module = module_for(data)
    trainer = fitted(data, module, precision=precision)
    [scores] = trainer.validate(module, datamodule=data, verbose=False)
    tally = evaluate(module.model, data.batches.dev_batches(), None)
    assert scores["val/perplexity"] == pytest.approx(tally.perplexity, rel=rel)
    assert scores["val/loss"] == pytest.approx(tally.loss, rel=rel)
    assert scores["val/bits_per_character"] == pytest.approx(tally.loss / math.log(2), rel=rel)
    assert scores["val/accuracy"] == pytest.approx(tally.accuracy, rel=rel)


def test_validation_carries_the_state_of_a_book(tmp_path: Path) -> None:
    text = "Hansel and Gretel went into the wood, and the wood went on for ever. " * 80
    (tmp_path / "tale.txt").write_text(text, encoding="utf-8")
    data = BookDataModule(
        4,
        path=str(tmp_path / "tale.txt"),
        seq_len=8,
        windows="contiguous",
        steps_per_epoch=3,
        dev_fraction=0.5,
    )
    data.setup()
    assert any(batch.carry for batch in data.val_dataloader())
    module = module_for(data, lr=0.05)
    trainer = fitted(data, module)
    tally = evaluate(module.model, data.batches.dev_batches(), None)
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(tally.loss, rel=1e-9)


def test_the_epoch_loss_weighs_characters_not_batches() -> None:
    data, losses = poems(batch_size=7), Losses()
    trainer = fitted(data, module_for(data, lr=1e-12), max_epochs=1, callbacks=[losses])
    counts = [int((batch.targets >= 0).sum()) for batch in data.batches.train_batches(0)]
    mean = sum(a * b for a, b in zip(losses.values, counts, strict=True)) / sum(counts)
    assert float(trainer.callback_metrics["train/epoch_loss"]) == pytest.approx(mean, rel=1e-5)
    assert mean != pytest.approx(sum(losses.values) / len(losses.values), rel=1e-5)


class TestCallbacks:
    def test_early_stopping_and_the_best_checkpoint(self, tmp_path: Path) -> None:
        data = poems(batch_size=4)
        module = module_for(data, lr=0.1)  # overfits after the first epochs
        best = ModelCheckpoint(dirpath=tmp_path / "checkpoints", monitor="val/perplexity")
        stop = EarlyStopping("val/perplexity", patience=2)
        trainer = fitted(data, module, max_epochs=30, callbacks=[best, stop], enable_checkpointing=True)
        assert trainer.current_epoch < 30
        stopped_epoch = stop.stopped_epoch
        assert stopped_epoch == trainer.current_epoch - 1
        [scores] = trainer.validate(
            module, datamodule=data, ckpt_path="best", weights_only=True, verbose=False
        )
        assert scores["val/perplexity"] == pytest.approx(float(best.best_model_score or 0), rel=1e-9)
        assert scores["val/perplexity"] == pytest.approx(float(stop.best_score), rel=1e-9)

    @pytest.mark.filterwarnings("ignore:The dirpath has changed")
    def test_training_goes_on_from_a_checkpoint(self, tmp_path: Path) -> None:
        whole, data = module_for(poems(batch_size=4)), poems(batch_size=4)
        fitted(data, whole, max_epochs=3)
        last = ModelCheckpoint(dirpath=tmp_path / "checkpoints", save_last=True)
        fitted(data, module_for(data), max_epochs=2, callbacks=[last], enable_checkpointing=True)
        continued = module_for(data)
        fitting = {**SILENT, "enable_checkpointing": True}
        trainer = L.Trainer(**fitting, max_epochs=3, callbacks=[ModelCheckpoint(dirpath=tmp_path / "more")])
        trainer.fit(continued, datamodule=data, ckpt_path=last.last_model_path, weights_only=True)
        pairs = zip(whole.state_dict().values(), continued.state_dict().values(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


class TestCheckpoints:
    def test_one_of_the_plain_trainer_is_read_by_ours(self, tmp_path: Path) -> None:
        data = poems(batch_size=4)
        module = module_for(data, cell={"name": "rnn", "nonlinearity": "relu"}, layers=2, tie_weights=True)
        best = ModelCheckpoint(dirpath=tmp_path / "checkpoints", filename="best")
        trainer = fitted(data, module, callbacks=[best], enable_checkpointing=True)
        trained = load_model(tmp_path / "checkpoints" / "best.ckpt")
        assert trained.vocabulary.tokens == tuple(data.tokens)
        tally = evaluate(trained.model, data.batches.dev_batches(), None)
        assert tally.perplexity == pytest.approx(float(trainer.callback_metrics["val/perplexity"]))
        again = LanguageModelModule.load_from_checkpoint(
            tmp_path / "checkpoints" / "best.ckpt", weights_only=True
        )
        pairs = zip(module.state_dict().values(), again.state_dict().values(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)

    def test_one_of_a_run_is_read_by_the_plain_trainer(self, train: Train) -> None:
        run = train("cell=phased_lstm", "trainer.max_epochs=1", base=POEMS)
        module = LanguageModelModule.load_from_checkpoint(run.folder.best, weights_only=True)
        [scores] = L.Trainer(**SILENT).validate(module, datamodule=poems(), verbose=False)
        assert scores["val/perplexity"] == pytest.approx(run.result["dev"]["perplexity"], rel=1e-9)

    def test_other_texts_are_refused(self, tmp_path: Path) -> None:
        data = poems()
        best = ModelCheckpoint(dirpath=tmp_path / "checkpoints", filename="best")
        trainer = fitted(data, module_for(data), max_epochs=1, callbacks=[best], enable_checkpointing=True)
        other = poems(poems=30)
        with pytest.raises(UserError, match="another vocabulary"):
            trainer.validate(
                module_for(other),
                datamodule=other,
                ckpt_path=str(tmp_path / "checkpoints" / "best.ckpt"),
                weights_only=True,
            )


@pytest.mark.parametrize(
    "options",
    [
        {"gradient_clip_val": 0.1},
        {"accumulate_grad_batches": 2},
        {"precision": "bf16-mixed"},
        {"precision": "64-true"},
        {"precision": "bf16-true"},
        {"fast_dev_run": True},
        {"limit_train_batches": 2, "limit_val_batches": 1},
        {"val_check_interval": 3},
        {"detect_anomaly": True},
        {"profiler": "simple"},
        {"callbacks": [StochasticWeightAveraging(1e-2)]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_of_the_trainer(options: dict[str, Any]) -> None:
    data = poems(batch_size=8)
    trainer = fitted(data, module_for(data), max_epochs=2, **options)
    # Below the uniform distribution's: it has learned something, or was stopped after a step.
    assert 1 < float(trainer.callback_metrics["val/perplexity"]) < len(data.tokens) + 5


@pytest.mark.filterwarnings("ignore:You requested to overfit")  # our samplers are no SequentialSampler
def test_overfitting_repeats_the_same_batches() -> None:
    data, losses = poems(batch_size=8), Losses()
    fitted(data, module_for(data, lr=0.0), max_epochs=3, overfit_batches=2, callbacks=[losses])
    assert losses.values[:2] == losses.values[2:4] == losses.values[4:]
    assert losses.values[0] != losses.values[1]


def test_learning_rate_and_batch_size_finders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = poems(batch_size=2)
    module = module_for(data)
    tuner = Tuner(L.Trainer(**SILENT, max_epochs=1))
    tuner.lr_find(module, datamodule=data, num_training=40)
    assert module.lr != 0.01
    tuner.scale_batch_size(module, datamodule=data, max_trials=2, steps_per_trial=1)
    assert data.batch_size == 4
    assert fitted(data, module, max_epochs=1).global_step == len(data.train_dataloader())


def test_a_schedule_on_a_plateau_watches_the_loss() -> None:
    data = poems(batch_size=8)
    scheduler = partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0, threshold=0.9, factor=0.5)
    trainer = fitted(data, module_for(data, scheduler=scheduler), max_epochs=3)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.01 / 4)


class TestMistakes:
    """Each is one line that says what is wrong, at once and not in the midst of training."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"hidden_size": 0}, r"LanguageModelModule\.hidden_size=0 is invalid: it must be a whole number"),
            ({"layers": 2.5}, r"layers=2\.5 is invalid"),
            ({"input": "onehot"}, "input=onehot is invalid"),
            ({"cell": "grru"}, r"cell\.name=grru does not exist; did you mean gru\?"),
            ({"cell": {"name": "rnn", "nonlinearity": "sine"}}, r"cell\.nonlinearity=sine is invalid"),
            ({"init": "xavir"}, r"init=xavir does not exist; did you mean xavier\?"),
            ({"optimizer": "adamw"}, "optimizer='adamw' is invalid: it must be a function, such as"),
            ({"scheduler": "cosine"}, "scheduler='cosine' is invalid: it must be a function"),
            ({"lr": -1}, "lr=-1 is invalid: it must be a number of at least 0"),
            (
                {"tie_weights": True, "embed_size": 9},
                "embeddings must be as wide as what the output layer reads",
            ),
        ],
    )
    def test_of_options(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(UserError, match=message):
            module_for(poems(), **options)

    def test_of_data(self) -> None:
        with pytest.raises(UserError, match="corpus='tangg' is invalid: it must be tang or sample"):
            TangDataModule(corpus="tangg")
        with pytest.raises(UserError, match="batch_size='8' is invalid"):
            TangDataModule(batch_size="8")  # type: ignore[arg-type]

    def test_data_with_other_tokens(self) -> None:
        with pytest.raises(
            UserError, match="the module was made for 648 tokens, and the data module has other"
        ):
            fitted(poems(poems=30), module_for(poems()))

    def test_a_checkpoint_of_another_model(self, tmp_path: Path) -> None:
        data = poems()
        best = ModelCheckpoint(dirpath=tmp_path / "checkpoints", filename="best")
        trainer = fitted(data, module_for(data), max_epochs=1, callbacks=[best], enable_checkpointing=True)
        path = str(tmp_path / "checkpoints" / "best.ckpt")
        for options, message in (
            ({"cell": "gru"}, r"the checkpoint has cell\.name=lstm, and the module gru"),
            ({"hidden_size": 9}, r"the checkpoint has model\.hidden_size=8, and the module 9"),
        ):
            with pytest.raises(UserError, match=message):
                trainer.validate(
                    module_for(data, **options), datamodule=data, ckpt_path=path, weights_only=True
                )


def test_defaults_are_those_of_conf() -> None:
    parameters = inspect.signature(LanguageModelModule).parameters
    composed = configured()
    for name in set(composed["model"]) - {"pretrained_embeddings"}:
        assert parameters[name].default == composed["model"][name], name
    assert LanguageModelModule(["a"]).cell_options == composed["cell"]
    assert parameters["forget_bias"].default == composed["init"]["forget_bias"]
    assert composed["init"]["scheme"]["_target_"].endswith(f".{parameters['init'].default}")
    assert composed["optimizer"]["_target_"] == "torch.optim.Adam"
    assert parameters["optimizer"].default is torch.optim.Adam
    assert parameters["lr"].default == composed["optimizer"]["lr"]


def test_loggers_get_the_arguments(tmp_path: Path) -> None:
    data = poems(batch_size=8)
    optimizer = partial(torch.optim.AdamW, weight_decay=0.1)
    fitted(
        data, module_for(data, optimizer=optimizer), logger=CSVLogger(tmp_path / "logs"), log_every_n_steps=1
    )
    [path] = (tmp_path / "logs").rglob("hparams.yaml")
    arguments = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert arguments["optimizer"] == "AdamW(weight_decay=0.1)"
    assert arguments["data"]["batch_size"] == 8
    assert "tokens" not in arguments


class TestPrediction:
    def test_poems_begin_with_the_starts(self) -> None:
        data = poems(starts="山龘")
        texts: Any = L.Trainer(**SILENT).predict(module_for(data), datamodule=data)
        assert texts[0].startswith("山")
        assert [len(line) for line in texts[0].split("\n")] == [16, 16]
        assert texts[1].startswith("(") and "龘" in texts[1]

    def test_a_book_is_continued(self, tmp_path: Path) -> None:
        (tmp_path / "tale.txt").write_text("Hansel and Gretel went into the wood. " * 20, encoding="utf-8")
        data = BookDataModule(path=str(tmp_path / "tale.txt"), seq_len=8, prompts=["Hans"], steps_per_epoch=3)
        data.setup()
        module = module_for(data)
        fitted(data, module, max_epochs=1)
        texts: Any = L.Trainer(**SILENT).predict(module, datamodule=data)
        assert texts[0].startswith("Hans")
        assert len(texts[0]) == 4 + 200

    @pytest.mark.parametrize(
        ("data", "options"),
        [
            (PalindromeDataModule(16, length=4, dev_size=50, steps_per_epoch=4), {"input": "one_hot"}),
            (WaveDataModule(4, dev_size=10, steps_per_epoch=3), {"input": "reals", "cell": "phased_lstm"}),
        ],
    )
    def test_other_tasks_predict_where_they_are_scored(
        self, data: LanguageDataModule, options: dict[str, Any]
    ) -> None:
        data.setup()
        module = module_for(data, **options)
        trainer = fitted(data, module, max_epochs=1)
        accuracy = float(trainer.callback_metrics["val/accuracy"])
        predicted: Any = trainer.predict(module, datamodule=data)
        targets = [batch.targets[batch.targets >= 0] for batch in dev_batches(data.batches)]
        hits = torch.cat(predicted) == torch.cat(targets)
        assert float(hits.double().mean()) == pytest.approx(accuracy)


def dev_batches(batches: RunBatches) -> list[Any]:
    return list(batches.dev_batches())
