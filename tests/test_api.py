"""The functions of `import tangsweep`."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import tangsweep
from tangsweep.errors import UserError
from tests.conftest import QUIET, SMALL, Ran

Train = Callable[..., Ran]
POEM = "山中無曆日，寒盡不知年。"


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, tangsweep; print({'torch', 'pandas', 'hydra', 'pydantic', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_exported_name_exists() -> None:
    assert sorted(tangsweep.MODULES) == sorted(tangsweep.__all__) == dir(tangsweep)
    for name in tangsweep.__all__:
        assert getattr(tangsweep, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = tangsweep.trian  # type: ignore[attr-defined]


class TestTraining:
    """In a process that has another command line, as a notebook has."""

    def test_a_run_and_the_same_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.argv", ["notebook", "-f", "kernel.json"])
        [folder] = tangsweep.train(*SMALL, *QUIET)
        record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert record["status"] == "done"
        assert tangsweep.train(*SMALL, *QUIET) == [folder]
        again = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert again["finished"] == record["finished"]
        assert sys.argv == ["notebook", "-f", "kernel.json"]
        command = json.loads((folder.parent / "commands.jsonl").read_text(encoding="utf-8").splitlines()[0])
        assert command["arguments"] == [*SMALL, *QUIET]

    @pytest.mark.parametrize(
        ("overrides", "message"),
        [
            (["optimzer=adam"], r"optimzer does not exist; did you mean optimizer\?"),
            (["optimizer=adm"], r"optimizer=adm does not exist; did you mean adam\?"),
            (["trainer.patience=0"], "trainer.patience=0 is invalid"),
            (["seed=0,1"], "several values of a key are a sweep: pass multirun=True"),
        ],
    )
    def test_a_mistake_is_one_line(
        self, overrides: list[str], message: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(UserError, match=message):
            tangsweep.train(*SMALL, *QUIET, *overrides)
        assert capfd.readouterr() == ("", "")

    def test_a_sweep_plans(self, capsys: pytest.CaptureFixture[str]) -> None:
        folders = tangsweep.train(*SMALL, *QUIET, "seed=0,1", "plan=true", multirun=True)
        assert len(folders) == 2
        assert "nothing was trained" in capsys.readouterr().out.lower() or not folders[0].exists()


class TestRuns:
    def test_tables(self, train: Train) -> None:
        runs = [train(f"seed={seed}", "sweep.name=s") for seed in (0, 1)]
        sweep = runs[0].folder.path.parent
        tables = tangsweep.load_runs(sweep)
        by_seed = tables.runs.set_index("seed")["dev_perplexity"]
        for seed, run in enumerate(runs):
            assert by_seed[seed] == run.result["dev"]["perplexity"]
        assert sorted(tables.epochs["epoch"].unique()) == [0, 1, 2]
        assert tables.ranking["seeds"].tolist() == [2]
        files = tangsweep.report(sweep, out=sweep / "elsewhere")
        assert files[0] == sweep / "elsewhere" / "report.html"
        written = pd.read_csv(sweep / "elsewhere" / "tables" / "ranking.csv")
        assert written["mean"].tolist() == pytest.approx(tables.ranking["mean"].tolist())

    def test_a_folder_without_runs(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="holds no run"):
            tangsweep.load_runs(tmp_path)
        with pytest.raises(UserError, match="does not exist"):
            tangsweep.report(tmp_path / "nothing")


class TestModels:
    def test_perplexity_equals_the_record(self, train: Train) -> None:
        run = train("data.max_chars=200")  # no poem is cut
        data = tangsweep.TangDataModule(corpus="sample", poems=12, max_chars=200)
        poems = data.find_corpus().poems
        model = tangsweep.load_model(run.folder.path)
        held_out = [poem.text for poem in poems][-3:]
        assert tangsweep.perplexity(model, held_out) == pytest.approx(
            run.result["dev"]["perplexity"], rel=1e-9
        )

    def test_perplexity_of_running_text(self, train: Train, home: Path) -> None:
        text = "Hansel and Gretel went into the wood. " * 20
        (home / "tale.txt").write_text(text, encoding="utf-8")
        steps = ("trainer.max_steps=4", "trainer.val_every=2", "data.seq_len=8", "model.hidden_size=8")
        run = train(base=("corpus=book", "corpus.path=tale.txt", "logger=csv", *steps))
        model = tangsweep.load_model(run.folder.path)
        whole, one = tangsweep.perplexity(model, [text[:300]]), tangsweep.perplexity(model, [text[:300]] * 2)
        assert whole == pytest.approx(one, rel=1e-9)
        assert 1 < whole < len(model.vocabulary)
        assert tangsweep.generate(model, start="Hans", length=10)[0].startswith("Hans")
        with pytest.raises(UserError, match="at least one text"):
            tangsweep.perplexity(model, ["H"])

    def test_poems(self, train: Train) -> None:
        model = tangsweep.load_model(train().folder.path)
        poems = tangsweep.generate(model, start="山", form="wujue", samples=2, seed=3)
        assert [poem[0] for poem in poems] == ["山", "山"]
        assert poems == tangsweep.generate(model, start="山", form="wujue", samples=2, seed=3)
        with pytest.raises(UserError, match="generate has no option strat; there are: start"):
            tangsweep.generate(model, strat="山")
        with pytest.raises(UserError, match="--top-p 2 is invalid"):
            tangsweep.generate(model, start="山", top_p=2)

    def test_a_module_of_lightning_and_a_single_text(self) -> None:
        data = tangsweep.TangDataModule(corpus="sample", poems=60)
        data.setup()
        module = tangsweep.LanguageModelModule(data.tokens, hidden_size=8)
        assert tangsweep.perplexity(module, POEM) == tangsweep.perplexity(module, [POEM])
        assert len(tangsweep.generate(module, start="山", form="wujue", rhyme=False)[0].split("\n")) == 2

    def test_a_model_of_no_text(self, train: Train) -> None:
        steps = ("trainer.max_steps=2", "trainer.val_every=2", "data.dev_size=10")
        model = tangsweep.load_model(train(base=("corpus=palindromes", "logger=csv", *steps)).folder.path)
        with pytest.raises(UserError, match="trained on palindromes, which is no text"):
            tangsweep.perplexity(model, ["1"])
        with pytest.raises(UserError, match="trained on palindromes, which is no text"):
            tangsweep.generate(model, start="1")
