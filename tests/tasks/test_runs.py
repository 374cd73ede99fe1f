"""Real runs of every task: what they learn from, what they record, what they leave."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from tangsweep.batches import windows
from tangsweep.batches.palindromes import length_at
from tangsweep.batches.waves import draw_waves
from tangsweep.checkpoint import load_model
from tangsweep.corpora.book import opening_lines
from tangsweep.errors import UserError
from tangsweep.randomness import derive_seed
from tangsweep.tasks.books import continued_prompts
from tangsweep.tasks.task import EncodedCorpus
from tangsweep.training.prepare import PreparedRun
from tests.conftest import QUIET, Ran, configured, prepare
from tests.training import wandb_file

Train = Callable[..., Ran]
SHORT = ("logger=csv", "model.hidden_size=8", "trainer.max_steps=6", "trainer.val_every=3")
PALINDROMES = ("corpus=palindromes", "corpus.length=5", "data.dev_size=60", *SHORT)
FREQUENCY = ("corpus=frequency", "data.dev_size=20", "data.batch_size=4", *SHORT)


@pytest.fixture
def book(home: Path) -> tuple[str, ...]:
    text = "".join(f"Once upon a time there were {n} little pigs.\n" for n in range(60))
    (home / "tale.txt").write_text(text + "Zebras!", encoding="utf-8")
    sizes = (
        "data.seq_len=10",
        "data.batch_size=4",
        "model.embed_size=8",
        "samples.every=3",
        "samples.length=12",
    )
    return ("corpus=book", "corpus.path=tale.txt", *sizes, *SHORT)


def prepared_for(*overrides: str) -> PreparedRun:
    return prepare(configured(*overrides), list(overrides))


def held_out_text(run: PreparedRun) -> str:
    """Return the held-out text of a book, without characters that are unknown."""
    vocabulary = run.encoded.vocabulary  # type: ignore[attr-defined]
    return vocabulary.decode(run.encoded.dev.ids).replace("<oov>", "")  # type: ignore[attr-defined]


def data_of(prepared: PreparedRun) -> Any:
    return prepared.task.batches(prepared.encoded, prepared.config)


class TestPalindromes:
    def test_an_easy_one_is_solved_and_the_step_recorded(self, train: Train) -> None:
        options = (
            "corpus.length=3",
            "data.dev_size=40",
            "trainer.val_every=20",
            "trainer.max_steps=4000",
            "optimizer.lr=0.01",
        )
        result, folder = train(*options, base=(*PALINDROMES, "model.hidden_size=16"))
        rows = pd.read_csv(folder.metrics).dropna(subset="val/accuracy")
        reached = rows["val/accuracy"] >= 0.999
        assert (result["status"], result["ended"]) == ("done", "solved")
        assert result["steps"] == rows["step"].max() < 4_000
        assert rows.loc[reached, "step"].tolist()[-2:] == [result["solved_step"], result["steps"]]
        assert not (reached & reached.shift(1, fill_value=False)).iloc[:-1].any()
        assert result["dev"]["accuracy"] >= 0.999
        assert result["dev"]["characters"] == 40
        assert result["train"] is None
        assert result["corpus"]["dev_overlaps_training"] is False
        assert not folder.poems.exists() and not folder.samples.exists()

    def test_a_hopeless_one_is_given_up_half_way_only_where_asked(self, train: Train) -> None:
        hard = ("corpus.length=30", "optimizer.lr=1e-9", "trainer.max_steps=12")
        assert train(*hard, base=PALINDROMES).result["ended"] == "budget"
        given_up = train(*hard, "trainer.give_up=true", base=PALINDROMES).result
        assert (given_up["ended"], given_up["steps"], given_up["solved_step"]) == ("hopeless", 6, None)

    def test_few_palindromes_are_said_to_overlap(
        self, train: Train, capsys: pytest.CaptureFixture[str]
    ) -> None:
        result, _ = train("data.dev_size=900", base=PALINDROMES)
        assert result["corpus"]["dev_overlaps_training"] is True
        assert result["corpus"]["distinct"] == "10^3"
        prepared = prepared_for(*PALINDROMES, "data.dev_size=900")
        assert "only 1,000 palindromes" in prepared.task.describe_corpus(
            prepared.corpus, prepared.encoded, prepared.config
        )

    def test_accuracy_is_that_of_a_plain_loop(self, train: Train) -> None:
        result, folder = train("cell=gru", base=PALINDROMES)
        model, _, _ = load_model(folder.path)
        digits = torch.cat(
            [
                torch.cat([b.inputs, b.targets[:, -1:]], 1)
                for b in data_of(prepared_for(*PALINDROMES)).dev_batches()
            ]
        )
        h, cell = torch.zeros(60, 8), model.cells[0]
        with torch.no_grad():
            for step in range(4):
                x = F.one_hot(digits[:, step], 10).float()
                of_x, of_h = x @ cell.W + cell.b, h @ cell.U
                r, z = ((of_x + of_h)[:, i * 8 : i * 8 + 8].sigmoid() for i in range(2))
                n = (of_x[:, 16:] + r * (of_h[:, 16:] + cell.u)).tanh()
                h = (1 - z) * n + z * h
            loss = F.cross_entropy(model.output(h), digits[:, 4])
            hits = (model.output(h).argmax(1) == digits[:, 4]).float().mean()
        assert result["dev"]["loss"] == pytest.approx(loss.item(), rel=1e-5)
        assert result["dev"]["accuracy"] == pytest.approx(hits.item())

    def test_very_long_ones(self) -> None:
        assert prepared_for(*PALINDROMES, "corpus.length=900").encoded.facts.distinct == "10^450"

    def test_the_curriculum(self) -> None:
        random = np.random.default_rng(0)
        assert {length_at(step, 20, 0, random) for step in range(50)} == {20}
        assert length_at(0, 20, 100, random) == 5
        halfway = {length_at(50, 20, 100, random) for _ in range(300)}
        assert halfway == set(range(5, 13))
        assert {length_at(500, 20, 100, random) for _ in range(400)} == set(range(5, 21))
        assert length_at(3, 4, 100, random) == 4

    def test_batches_are_a_function_of_seed_and_step(self) -> None:
        one, same, other = (data_of(prepared_for(*PALINDROMES, f"seed={s}")) for s in (1, 1, 2))
        assert torch.equal(one.draw(4).inputs, same.draw(4).inputs)
        assert not torch.equal(one.draw(4).inputs, one.draw(5).inputs)
        assert not torch.equal(one.draw(4).inputs, other.draw(4).inputs)
        assert all(
            torch.equal(a.inputs, b.inputs)
            for a, b in zip(one.dev_batches(), other.dev_batches(), strict=True)
        )


class TestFrequency:
    @pytest.mark.parametrize(("cell", "width"), [("lstm", 2), ("rnn", 2), ("phased_lstm", 1)])
    def test_the_time_is_an_input_where_the_cell_does_not_read_it(
        self, train: Train, cell: str, width: int
    ) -> None:
        result, folder = train(f"cell={cell}", "corpus.sampling=random", base=FREQUENCY)
        assert (result["status"], result["dev"]["characters"]) == ("done", 20)
        assert load_model(folder.path).model.cells[0].W.shape[0] == width

    @pytest.mark.parametrize(("asked", "width"), [("true", 2), ("false", 1)])
    def test_or_as_asked(self, asked: str, width: int) -> None:
        encoded: EncodedCorpus = prepared_for(*FREQUENCY, f"corpus.time_input={asked}").encoded
        assert encoded.inputs == width

    def test_batches_are_waves_by_seed_and_step(self) -> None:
        data = data_of(prepared_for(*FREQUENCY, "seed=3", "corpus.sampling=random"))
        theirs = draw_waves(4, "random", np.random.default_rng(derive_seed(3, "frequency", 7)))
        np.testing.assert_allclose(data.draw(7).inputs[..., 0], theirs.values, atol=1e-6)
        np.testing.assert_allclose(data.draw(7).times, theirs.times, rtol=1e-6)

    def test_time_stamps_reach_the_cell(self, train: Train) -> None:
        result, folder = train("cell=phased_lstm", "corpus.sampling=random", base=FREQUENCY)
        model = load_model(folder.path).model
        [batch] = data_of(
            prepared_for(*FREQUENCY, "cell=phased_lstm", "corpus.sampling=random")
        ).dev_batches()
        with torch.no_grad():
            logits, _ = model.eval()(batch.inputs, batch.times)
            without, _ = model(batch.inputs)
        scored = batch.targets >= 0
        assert F.cross_entropy(logits[scored], batch.targets[scored]).item() == pytest.approx(
            result["dev"]["loss"], rel=1e-5
        )
        assert not torch.allclose(logits[scored], without[scored])

    def test_training_sees_the_time_stamps(self) -> None:
        from tangsweep.training import assemble

        prepared = prepared_for(*FREQUENCY, "cell=phased_lstm", "corpus.sampling=random")
        data, module = data_of(prepared), assemble.build_module(prepared, None)
        model = module.model
        batch = data.draw(0)
        logits, _ = model(batch.inputs, batch.times)
        scored = batch.targets >= 0
        expected = F.cross_entropy(logits[scored], batch.targets[scored])
        assert module.loss(batch, 0)["loss"].item() == pytest.approx(expected.item(), rel=1e-6)

    def test_in_double_precision(self, train: Train) -> None:
        assert (
            train("cell=phased_lstm", "trainer.precision=64-true", base=FREQUENCY).result["status"] == "done"
        )


class TestBooks:
    @pytest.mark.parametrize("windows", ["random", "contiguous"])
    def test_what_a_run_leaves(self, train: Train, book: tuple[str, ...], windows: str) -> None:
        result, folder = train(f"data.windows={windows}", base=book)
        assert (result["status"], result["corpus"]["name"]) == ("done", "tale")
        assert result["train"]["characters"] + result["dev"]["characters"] + 2 == len(
            (folder.path.parents[2] / "tale.txt").read_text()
        )
        of_known = {"dev_known_unigram", "dev_known_bigram"}
        assert result["baselines"].keys() == {"uniform", "unigram", "bigram", *of_known}
        assert result["dev"]["bits_per_character"] == pytest.approx(result["dev"]["loss"] / math.log(2))
        assert not folder.poems.exists()
        lines = folder.samples.read_text(encoding="utf-8").splitlines()
        assert [line.split()[0] for line in lines] == ["3"] * 4 + ["6"] * 4 + ["end"] * 5
        assert ["greedy" in line for line in lines[:4]] == [True, False, False, False]
        firsts = {line[25] for line in lines[:4]}
        assert len(firsts) == 1
        assert all(len(line[25:]) == 12 for line in lines[:8])
        prompts = [line[25:].partition("]")[0].removeprefix("[") for line in lines[8:]]
        assert all(f"\n{prompt}" in held_out_text(prepared_for(*book)) for prompt in prompts[1:])
        assert prompts[1] == "Once upon a time there were 55 little pi"

    def test_prompts_that_are_set_are_continued(self, train: Train, book: tuple[str, ...]) -> None:
        _, folder = train("samples.prompts=[Hansel and Gr,'!']", base=book)
        lines = folder.samples.read_text(encoding="utf-8").splitlines()
        assert "  [Hansel and Gr, read as: ansel an r] " in lines[8]  # H, G and d are unknown to this book
        assert len(lines) == 10

    def test_the_prompts_of_the_books_that_have_a_name(self, book: tuple[str, ...]) -> None:
        run = prepared_for(*book)
        assert continued_prompts(run.encoded, run.config) == opening_lines(held_out_text(run))
        named = run.config.with_value("corpus", "path", None)
        assert continued_prompts(run.encoded, named) == configured()["samples"]["prompts"]

    def test_held_out_perplexity_is_that_of_reading_the_text_once(
        self, train: Train, book: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(windows, "EVALUATION_WINDOW", 4)  # several windows a row, each carrying the state
        result, folder = train("model.layers=2", base=book)
        model, _, _ = load_model(folder.path)
        ids = prepared_for(*book, "model.layers=2").encoded.dev.ids
        nats, length = 0.0, -(-(len(ids) - 1) // 16)
        model.double().eval()
        with torch.no_grad():
            for start in range(0, len(ids) - 1, length):
                row = torch.from_numpy(ids[start : start + length + 1]).long()
                logits, _ = model(row[None, :-1])
                nats += F.cross_entropy(logits[0], row[1:], reduction="sum").item()
        assert result["dev"]["perplexity"] == pytest.approx(math.exp(nats / (len(ids) - 1)), rel=1e-4)

    def test_the_state_is_carried_from_window_to_window_and_no_gradient(self, book: tuple[str, ...]) -> None:
        from tangsweep.training import assemble

        prepared = prepared_for(*book, "data.windows=contiguous", "model.hidden_size=6")
        data, module = data_of(prepared), assemble.build_module(prepared, None)
        model = module.model
        batches = [data.draw(step) for step in range(2)]
        module.loss(batches[0], 0)["loss"].backward()
        second = module.loss(batches[1], 1)
        carry = model(batches[0].inputs)[1].detached()
        logits, _ = model(batches[1].inputs, None, carry)
        alone, _ = model(batches[1].inputs)
        expected = F.cross_entropy(logits.flatten(0, 1), batches[1].targets.flatten())
        assert second["loss"].item() == pytest.approx(expected.item(), rel=1e-6)
        assert not torch.allclose(logits, alone)
        second["loss"].backward()  # would fail if it reached back into the first window's freed graph

    def test_samples_reach_wandb_and_do_not_disturb_training(
        self, train: Train, book: tuple[str, ...]
    ) -> None:
        training = ("model.dropout=0.5", "cell=phased_lstm")  # what differs between training and evaluation
        result, folder = train("logger=wandb", *training, base=book)
        offline = wandb_file.read(folder.path)
        for name in ("samples", "continuations"):
            assert any(row.get(f"{name}/_type") == '"table-file"' for row in offline.history), name
        logged = [json.loads(row["val/loss"]) for row in offline.history if "val/loss" in row]
        assert logged == pytest.approx(pd.read_csv(folder.metrics)["val/loss"].dropna().tolist())
        silent, without = train("samples.every=null", *training, base=book)
        assert "temperature 2" not in without.samples.read_text()
        assert silent["last"]["dev"]["loss"] == result["last"]["dev"]["loss"]

    def test_a_text_without_the_prompts_letters(
        self, train: Train, home: Path, book: tuple[str, ...]
    ) -> None:
        (home / "tale.txt").write_text("0123456789" * 40, encoding="utf-8")
        result, folder = train("samples.prompts=[abc,x]", base=book)
        assert result["status"] == "done"
        assert folder.samples.read_text().count("] (nothing known)") == 2

    def test_windows_follow_from_the_seed(self, book: tuple[str, ...]) -> None:
        one, same, other = (data_of(prepared_for(*book, f"seed={s}")) for s in (1, 1, 2))
        assert torch.equal(one.draw(3).inputs, same.draw(3).inputs)
        assert not torch.equal(one.draw(3).inputs, other.draw(3).inputs)
        for a, b in zip(one.dev_batches(), other.dev_batches(), strict=True):
            assert torch.equal(a.inputs, b.inputs)

    def test_too_short_for_a_window(self, home: Path, book: tuple[str, ...]) -> None:
        (home / "tale.txt").write_text("too short", encoding="utf-8")
        with pytest.raises(UserError, match=r"tale\.txt is too short"):
            prepared_for(*book)


def test_poems_learn_with_every_cell(train: Train) -> None:
    base = ("corpus=sample", "data.poems=12", "model.hidden_size=8", "trainer.max_epochs=1", *QUIET)
    for cell in ("rnn", "gru", "phased_lstm"):
        result, folder = train(f"cell={cell}", "model.layers=2", "model.dropout=0.2", base=base)
        assert result["status"] == "done"
        assert folder.poems.exists()
