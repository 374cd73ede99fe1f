"""Real runs on a handful of sample poems: what they leave, what they score, how they end."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from tangsweep import inits
from tangsweep.batches.poems import PoemBatches, bucket_by_length, longest_first
from tangsweep.checkpoint import load_model
from tangsweep.errors import UserError
from tangsweep.language_model import build_language_model
from tangsweep.runs import folder as folders
from tangsweep.runs.folder import RunFolder
from tangsweep.training import assemble
from tangsweep.training.prepare import PreparedRun
from tests.conftest import DIVERGES_IN_EPOCH_2, QUIET, SMALL, Ran, configured, prepare
from tests.training import wandb_file

Train = Callable[..., Ran]
TIMED = ["seconds", "characters_per_second"]


def test_what_a_run_leaves(train: Train) -> None:
    result, folder = train("seed=3")
    names = {p.name for p in folder.path.iterdir() if not p.name.startswith(".lock")}
    scored = {"result.json", "scores.npz"}
    assert names == {"config.yaml", "metrics.csv", "poems.txt", "checkpoints", "train.log", *scored}
    assert {p.name for p in folder.checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}
    assert json.loads(folder.result.read_text(encoding="utf-8")) == result
    assert yaml.safe_load(folder.config.read_text(encoding="utf-8"))["seed"] == 3
    assert (result["status"], result["seed"], result["error"]) == ("done", 3, None)
    assert (result["epochs"], result["steps"]) == (2, 2 * result["corpus"]["sequences"]["train"])
    assert result["run_id"] == folder.path.name
    assert result["corpus"]["name"] == "sample"
    expected = {"run_id", "config_hash", "overrides", "parameters", "seconds", "chars_per_second", "train", "dev",
                "last", "best_epoch", "primary", "baselines", "git", "versions", "threads", "kernel", "wandb"}  # fmt: skip
    assert expected <= set(result)


def test_metrics_rows(train: Train) -> None:
    result, folder = train("trainer.log_every=3")
    rows = pd.read_csv(folder.metrics)
    steps = result["steps"] // 2
    evaluated = rows[rows["val/loss"].notna()]
    assert evaluated["epoch"].tolist() == [0, 1, 2]
    assert evaluated["step"].tolist() == [0, steps, 2 * steps]
    assert set(range(3, 2 * steps + 1, 3)) <= set(rows["step"])
    every_third = rows[(rows["step"] % 3 == 0) & (rows["step"] > 0) & rows["val/loss"].isna()]
    assert every_third[["train/loss", "train/grad_norm", "lr"]].notna().all(axis=None)
    assert evaluated["val/perplexity"].iloc[1:].min() == pytest.approx(result["dev"]["perplexity"])
    losses = evaluated["train/epoch_loss"].dropna()
    assert losses.iloc[1] < losses.iloc[0] < math.log(result["corpus"]["vocabulary"]) + 0.5


@pytest.mark.parametrize("padding", [["data.pad=batch"], ["data.pad=fixed"]])
@pytest.mark.parametrize("size", [1, 5])
def test_recorded_perplexity_is_that_of_a_plain_loop(train: Train, padding: list[str], size: int) -> None:
    options = [*padding, f"data.batch_size={size}", "model.layers=2", "data.max_chars=30"]
    result, folder = train(*options)
    model, known, _ = load_model(folder.path)
    model.double().eval()
    prepared = prepare(configured(*SMALL, *QUIET, *options), options)
    for side in ("train", "dev"):
        sequences = getattr(prepared.encoded, side)
        nats, hits, characters = 0.0, 0, 0
        for start, end in zip(sequences.starts, sequences.starts[1:], strict=False):
            ids = torch.from_numpy(sequences.ids[start:end]).long()
            log_p = model(ids[None, :-1])[0][0].log_softmax(-1)
            for position, target in enumerate(ids[1:]):
                nats -= log_p[position, target].item()
                hits += int(log_p[position].argmax() == target)
                characters += 1
        assert result[side]["perplexity"] == pytest.approx(math.exp(nats / characters), rel=1e-5)
        assert (result[side]["characters"], result[side]["accuracy"]) == (characters, hits / characters)
    assert result["dev"]["perplexity_padded"] is None
    assert len(known) == result["corpus"]["vocabulary"]


def test_scored_padding_flatters_and_is_kept_apart(train: Train) -> None:
    plain, _ = train("data.pad=fixed", "trainer.max_epochs=8")
    padded, folder = train("data.pad=fixed", "data.score_pads=true", "trainer.max_epochs=8")
    assert padded["dev"]["characters"] == plain["dev"]["characters"]
    assert padded["dev"]["perplexity_padded"] < padded["dev"]["perplexity"]
    logged = pd.read_csv(folder.metrics)["val/perplexity"].min()
    assert logged == pytest.approx(padded["dev"]["perplexity"])


def same_but_for_time(one: RunFolder, other: RunFolder) -> None:
    pd.testing.assert_frame_equal(
        pd.read_csv(one.metrics).drop(columns=TIMED),
        pd.read_csv(other.metrics).drop(columns=TIMED),
        check_exact=True,
    )
    first, second = (torch.load(f.last, weights_only=True)["state_dict"] for f in (one, other))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_command_gives_the_same_bits(train: Train) -> None:
    options = ["model.dropout=0.3", "data.batch_size=3", "optimizer=rmsprop"]
    one = train(*options, "sweep.name=one").folder
    torch.manual_seed(99)  # the state of torch's generator must not matter
    other = train(*options, "sweep.name=other").folder
    same_but_for_time(one, other)
    assert one.poems.read_text() == other.poems.read_text()


def test_every_epoch_has_its_order_from_seed_and_epoch(train: Train) -> None:
    still = ["optimizer=sgd", "optimizer.lr=1e-12", "trainer.log_every=1", "trainer.max_epochs=3", "seed=5"]
    _, folder = train(*still)
    rows = pd.read_csv(folder.metrics).dropna(subset="train/loss")
    prepared = prepare(configured(*SMALL, *QUIET, *still), [])
    lengths = prepared.encoded.train.lengths - 1
    orders = [np.concatenate(bucket_by_length(lengths, 1, 5, epoch)) for epoch in range(3)]
    # The weights stand still, so a step's loss tells which sequence it saw.
    losses = [rows.loc[rows["epoch"] == epoch + 1, "train/loss"].to_numpy() for epoch in range(3)]
    by_row = [loss[np.argsort(order)] for loss, order in zip(losses, orders, strict=True)]
    assert len(set(by_row[0])) == len(lengths)
    np.testing.assert_allclose(by_row[1], by_row[0], rtol=1e-6)
    np.testing.assert_allclose(by_row[2], by_row[0], rtol=1e-6)
    assert not np.array_equal(orders[0], orders[1])


@pytest.mark.parametrize(("pad", "width"), [("fixed", 31), ("batch", None)])
def test_padding_has_the_width_that_was_asked_for(pad: str, width: int | None) -> None:
    prepared = prepare(configured(*SMALL, *QUIET, f"data.pad={pad}", "data.max_chars=30"), [])
    data = batches(prepared)
    shortest = int(data.train.lengths.argmin())
    expected = width or int(data.train.lengths.min())
    assert data.train.batch(np.array([shortest])).inputs.shape == (1, expected)
    assert data.train.inputs.shape[1] >= data.train.lengths.max()


def batches(prepared: PreparedRun) -> PoemBatches:
    return prepared.task.batches(prepared.encoded, prepared.config)


def test_another_seed_gives_another_run(train: Train) -> None:
    assert train().result["dev"]["loss"] != train("seed=1").result["dev"]["loss"]


def test_the_optimizer_changes_nothing_else(train: Train) -> None:
    rows = [
        pd.read_csv(train(f"optimizer={name}", "trainer.log_every=1").folder.metrics).iloc[:2]
        for name in ("sgd", "adam")
    ]
    assert rows[0]["val/loss"].iloc[0] == rows[1]["val/loss"].iloc[0]
    assert rows[0]["train/loss"].iloc[1] == rows[1]["train/loss"].iloc[1]


@pytest.mark.parametrize("scheme", ["xavier", "zeros", "kaiming"])
def test_initialization_options_reach_the_model(scheme: str) -> None:
    config = configured(*SMALL, *QUIET, f"init={scheme}", "init.forget_bias=2", "seed=4")
    model = assemble.build_module(prepare(config, []), None).model
    expected = build_language_model({"name": "lstm"}, config["model"], model.output.out_features)
    inits.initialize(expected, getattr(inits, scheme), 2, 4)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True))


def test_data_options_reach_the_batches(train: Train) -> None:
    half = train("data.train_fraction=0.5", "data.batch_size=4").result
    assert half["corpus"]["poems"]["train"] == half["corpus"]["poems"]["dev"] == 6
    assert half["steps"] == 2 * math.ceil(half["corpus"]["sequences"]["train"] / 4)
    data = batches(prepare(configured(*SMALL, *QUIET, "seed=9", "data.batch_size=3"), []))
    ours = np.concatenate(data.train_batches(0).order)
    assert ours.tolist() == np.concatenate(bucket_by_length(data.train.lengths, 3, 9, 0)).tolist()


def test_poem_options_reach_the_poems(train: Train) -> None:
    form = "poems.forms=[{chars:3,temperature:0},{chars:4,temperature:9}]"
    text = train(
        form, "poems.lines=2", "poems.starts='山'", base=(*SMALL, "logger=csv", "poems.quality=false")
    ).folder.poems.read_text()
    assert re.fullmatch(
        r"# 山  3 characters a line, temperature 0\n山\w{2}，\w{3}。\n\n# 山  4 .* temperature 9\n山\w{3}，\w{4}。\n",
        text,
    )
    hotter = form.replace("temperature:0", "temperature:9")
    assert (
        train(
            hotter, "poems.lines=2", "poems.starts='山'", base=(*SMALL, "logger=csv", "poems.quality=false")
        ).folder.poems.read_text()
        != text
    )


def test_quality_is_in_the_record_unless_turned_off_and_is_no_part_of_a_run(train: Train) -> None:
    few = (*SMALL, "logger=csv", "poems.starts='山'")
    measured = train(base=few).result
    quality = measured["quality"]
    assert (quality["poems"], quality["prosody"]) == (100, "modern")  # nothing is downloaded for the sample
    assert set(quality["free"]) >= {"rhyme", "tones", "distinct_2", "longest_copy", "copied_line"}
    again = train("rerun=all", base=few).result
    assert again["quality"] == quality
    off = train("rerun=all", "poems.quality=false", base=few).result
    assert off["quality"] is None
    assert off["run_id"] == measured["run_id"]
    assert off["config_hash"] == measured["config_hash"]


def test_gradient_norm_is_that_of_all_gradients_before_clipping(train: Train) -> None:
    options = ["optimizer=sgd", "optimizer.lr=1", "trainer.log_every=1", "trainer.max_steps=1"]
    folder = train(*options, "trainer.gradient_clip_val=0.001").folder
    logged = pd.read_csv(folder.metrics)["train/grad_norm"].dropna().iloc[0]
    unclipped = train(*options).folder
    assert logged == pd.read_csv(unclipped.metrics)["train/grad_norm"].dropna().iloc[0]
    start = assemble.build_module(prepare(configured(*SMALL, *QUIET, *options), []), None).model.state_dict()
    after = torch.load(unclipped.last, weights_only=True)["state_dict"]
    moved = torch.stack([(after[f"model.{k}"] - v).norm() for k, v in start.items()]).norm().item()
    assert logged == pytest.approx(moved, rel=1e-4)


def test_logged_training_loss_leaves_padding_out(train: Train) -> None:
    options = ["data.pad=fixed", "trainer.max_epochs=1", "optimizer=sgd", "optimizer.lr=1e-12"]
    plain, padded = (
        pd.read_csv(train(*options, f"data.score_pads={flag}").folder.metrics)["train/epoch_loss"]
        .dropna()
        .item()
        for flag in ("false", "true")
    )
    assert padded == pytest.approx(plain, rel=1e-6)


def test_a_blown_up_run_is_done_with_an_infinite_perplexity(train: Train) -> None:
    result, folder = train("optimizer=sgd", "optimizer.lr=1e20")
    assert (result["status"], result["best_epoch"]) == ("done", 1)
    assert result["dev"]["perplexity"] == math.inf
    assert json.loads(folder.result.read_text())["dev"]["perplexity"] is None
    assert folder.poems.exists()


def test_a_failure_while_composing_keeps_the_scores(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    from tangsweep.generation import run_poems

    monkeypatch.setattr(run_poems, "compose_run_poems", lambda *_: 1 / 0)
    result, _ = train()
    assert (result["status"], result["error"]) == ("failed", "ZeroDivisionError('division by zero')")
    assert result["dev"]["perplexity"] > 1


@pytest.mark.parametrize("every", [1, 4])
def test_divergence_is_a_result(train: Train, every: int) -> None:
    result, folder = train("optimizer=sgd", "optimizer.lr=3e38", f"trainer.log_every={every}")
    assert result["status"] == "diverged"
    assert result["diverged_step"] == 2
    assert result["last_finite_loss"] == pytest.approx(math.log(result["corpus"]["vocabulary"]), rel=0.1)
    assert (result["best_epoch"], result["dev"], result["last"]) == (None, None, None)
    assert folder.result.exists()
    assert not folder.poems.exists()


def test_divergence_after_a_good_epoch_keeps_its_scores(train: Train) -> None:
    result, folder = train(*DIVERGES_IN_EPOCH_2, "data.batch_size=3", "trainer.max_epochs=9")
    assert (result["status"], result["best_epoch"]) == ("diverged", 1)
    assert result["steps"] // 2 < result["diverged_step"] <= result["steps"]
    assert result["dev"]["perplexity"] == pytest.approx(
        pd.read_csv(folder.metrics).set_index("epoch")["val/perplexity"].dropna()[1]
    )
    assert result["last"] is None
    assert folder.poems.exists()


def test_a_failure_is_recorded_with_its_traceback(train: Train) -> None:
    result, folder = train("+optimizer.nonsense=1")
    assert result["status"] == "failed"
    assert "nonsense" in result["error"]
    assert "Traceback" in folder.log.read_text(encoding="utf-8")


def test_a_full_disk_fails_the_run_and_keeps_what_was_good(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tangsweep.training import callbacks as checkpoints

    calls: list[Path] = []
    real = checkpoints.atomic_write

    def full_later(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) > 2:
            raise folders.cannot_write(path, OSError(28, "No space left on device"))
        real(path, content)

    monkeypatch.setattr(checkpoints, "atomic_write", full_later)
    result, folder = train("trainer.max_epochs=5")
    assert result["status"] == "failed"
    assert "No space left on device" in result["error"]
    assert load_model(folder.path).vocabulary is not None


def test_checkpoints_hold_plain_values_only(train: Train) -> None:
    folder = train("trainer.patience=3", "scheduler=cosine").folder
    for path in (folder.best, folder.last):
        assert "tangsweep" in torch.load(path, weights_only=True)


def test_best_checkpoint_is_the_best_epoch(train: Train) -> None:
    result, folder = train("trainer.max_epochs=12", "optimizer.lr=0.05")
    rows = pd.read_csv(folder.metrics)
    rows = rows[rows["val/perplexity"].notna() & (rows["epoch"] > 0)]
    assert result["best_epoch"] == rows.loc[rows["val/perplexity"].idxmin(), "epoch"] < 12
    model, _, config = load_model(folder.best)
    prepared = prepare(configured(*SMALL, *QUIET), [])
    data = PoemBatches(prepared.encoded, prepared.config.data, 0)
    from tangsweep.evaluation.scores import evaluate

    assert evaluate(model, longest_first(data.dev), None).perplexity == pytest.approx(
        result["dev"]["perplexity"], rel=1e-6
    )
    assert result["last"]["dev"]["perplexity"] > result["dev"]["perplexity"]
    assert config["optimizer"]["lr"] == 0.05


def test_patience_stops_early_and_max_steps_in_mid_epoch(train: Train) -> None:
    patient, _ = train("trainer.max_epochs=40", "trainer.patience=2", "optimizer.lr=0.05")
    assert patient["epochs"] == patient["best_epoch"] + 2 < 40
    stepped, folder = train("trainer.max_steps=5", "trainer.max_epochs=null", "trainer.log_every=2")
    assert (stepped["steps"], stepped["status"], stepped["best_epoch"]) == (5, "done", 1)
    assert pd.read_csv(folder.metrics)["val/loss"].notna().tolist()[-1]


def test_clipping_bounds_the_step(train: Train) -> None:
    def moved(*options: str) -> float:
        folder = train("optimizer=sgd", "optimizer.lr=1", "trainer.max_steps=1", *options).folder
        start = (
            train("optimizer=sgd", "optimizer.lr=1e-12", "trainer.max_steps=1").folder
            if not cache
            else cache[0]
        )
        cache.append(start)
        a, b = (torch.load(f.last, weights_only=True)["state_dict"] for f in (folder, start))
        return torch.stack([(a[k] - b[k]).norm() for k in a]).norm().item()

    cache: list[RunFolder] = []
    assert moved("trainer.gradient_clip_val=0.01") == pytest.approx(0.01, rel=1e-3)
    assert moved() > 0.05


@pytest.mark.parametrize(
    ("scheduler", "rates"),
    [
        (["scheduler=none"], [0.01, 0.01, 0.01]),
        (["scheduler=exponential", "scheduler.gamma=0.5"], [0.01, 0.005, 0.0025]),
        (["scheduler=cosine"], [0.01, 0.01 * 0.75, 0.01 * 0.25]),
    ],
)
def test_schedules_step_once_an_epoch(train: Train, scheduler: list[str], rates: list[float]) -> None:
    folder = train(*scheduler, "trainer.max_epochs=3", "trainer.log_every=1").folder
    rows = pd.read_csv(folder.metrics).dropna(subset="lr")
    for epoch, rate in enumerate(rates, start=1):
        assert rows.loc[rows["epoch"] == epoch, "lr"].to_numpy() == pytest.approx(rate), epoch


def test_threads_and_precision_reach_torch(train: Train) -> None:
    assert train("trainer.threads=2").result["threads"] == torch.get_num_threads() == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu_is_said_before_anything_is_written(train: Train, home: Path) -> None:
    with pytest.raises(UserError, match="no GPU here"):
        train("trainer=gpu")
    assert not (home / "outputs").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_run_on_a_gpu(train: Train) -> None:
    on_gpu, on_cpu = train("trainer=gpu").result, train().result
    assert on_gpu["dev"]["loss"] == pytest.approx(on_cpu["dev"]["loss"], rel=1e-3)


class TestWandb:
    BASE = (*SMALL, "poems.starts='山'", "logger=wandb")

    def test_an_offline_run_mirrors_the_files(self, train: Train) -> None:
        result, folder = train("sweep.name=asked", base=self.BASE)
        offline = wandb_file.read(folder.path)
        assert offline.id == result["wandb"]["id"]
        assert offline.group == "asked"
        assert json.loads(offline.config["config_hash"]) == result["config_hash"]
        assert offline.exit_codes == [0]
        rows = pd.read_csv(folder.metrics)
        for name in ("train/loss", "val/loss", "val/perplexity", "train/grad_norm", "lr", "train/epoch_loss"):
            logged = [json.loads(row[name]) for row in offline.history if name in row]
            assert logged == pytest.approx(rows[name].dropna().tolist()), name
        assert any(row.get("poems/_type") == '"table-file"' for row in offline.history)
        assert offline.summary["status"] == '"done"'
        assert json.loads(offline.summary["best/dev/perplexity"]) == pytest.approx(
            result["dev"]["perplexity"]
        )
        assert json.loads(offline.summary["quality/free/tones"]) == result["quality"]["free"]["tones"]

    def test_project_and_mode_reach_wandb(self, train: Train) -> None:
        named = train("logger.project=mine", base=self.BASE)
        assert named.result["wandb"]["path"].endswith(f"mine/{named.result['wandb']['id']}")
        disabled = train("logger.mode=disabled", "seed=7", base=self.BASE)
        assert not list(disabled.folder.path.glob("wandb/offline-run-*"))

    def test_a_diverged_run_ends_well_and_a_failed_one_does_not(self, train: Train) -> None:
        diverged = train("optimizer=sgd", "optimizer.lr=3e38", base=self.BASE)
        failed = train("+optimizer.nonsense=1", base=self.BASE)
        assert (diverged.result["status"], failed.result["status"]) == ("diverged", "failed")
        assert wandb_file.read(diverged.folder.path).exit_codes == [0]
        assert wandb_file.read(failed.folder.path).exit_codes == [1]
        assert wandb_file.read(diverged.folder.path).id != wandb_file.read(failed.folder.path).id

    @pytest.mark.parametrize(
        ("configured", "environment", "expected"),
        [(None, None, "offline"), (None, "disabled", "disabled"), ("offline", "online", "offline")],
    )
    def test_offline_unless_said_otherwise(
        self, configured: str | None, environment: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from tangsweep.training.mirror_settings import wandb_mode

        if environment:
            monkeypatch.setenv("WANDB_MODE", environment)
        assert wandb_mode(configured) == expected
