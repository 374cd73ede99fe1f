"""The closing table on hand-written records."""

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from tangsweep.console import readable
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import MetricsFile
from tangsweep.sweep import accuracy, comparison, curves, grouping
from tests.conftest import made


def record(folder: Path, name: str, **changes: Any) -> RunFolder:
    run = made(folder / f"{name}-00000000")
    run.config.write_text("seed: 0\n")
    result = {
        "status": "done",
        "overrides": [],
        "primary": {"metric": "perplexity", "mode": "min"},
        "dev": {"perplexity": 120.5},
        "train": {"perplexity": 90.25},
        "last": {"train": {"perplexity": 3.0}, "dev": {"perplexity": 400.0}},
        "best_epoch": 7,
        "baselines": {"uniform": 300.0, "unigram": 200.0, "bigram": 150.0},
        "seconds": 12.5,
        "corpus": {"name": "tang"},
        "seed": 0,
        "error": None,
    } | changes
    run.result.write_text(json.dumps(result))
    metrics = MetricsFile(run.metrics)
    for epoch in (0, 1, 2):
        metrics.append(
            {"step": epoch, "epoch": epoch, "val/loss": 5.0 - epoch, "train/epoch_loss": epoch and 4 - epoch}
        )
    metrics.append({"step": 3, "epoch": 3, "train/loss": 1.0})
    metrics.close()
    return run


@pytest.fixture
def sweep(home: Path) -> Path:
    folder = home / "outputs" / "s"
    record(folder, "worse")
    record(folder, "better", dev={"perplexity": 80.0})
    record(folder, "nan", status="diverged", dev=None, train=None, last=None, best_epoch=None)
    record(
        folder,
        "broken",
        status="failed",
        dev={"perplexity": None},
        train=None,
        last=None,
        error="it broke",
        best_epoch=None,
    )
    killed = made(folder / "killed-00000000")
    killed.config.write_text("seed: 0\n")
    (folder / "notes").mkdir()
    return folder


def test_best_first_and_every_run_shown(sweep: Path) -> None:
    runs = comparison.table(sweep)
    assert runs["run"].tolist()[:2] == ["better", "worse"]
    assert set(runs["run"]) == {"better", "worse", "nan", "broken", "killed"}
    states = dict(zip(runs["run"], runs["status"], strict=True))
    assert states == {
        "better": "done",
        "worse": "done",
        "nan": "diverged",
        "broken": "failed",
        "killed": "crashed",
    }


def test_files_and_console(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    comparison.close(sweep)
    shown = capsys.readouterr().out
    for text in (
        "better",
        "80",
        "120.5",
        "90.2",
        "diverged",
        "failed",
        "crashed",
        "corpus: tang",
        "curves.html",
    ):
        assert text in shown
    read = pd.read_csv(sweep / "comparison.csv")
    assert read.loc[read["run"] == "worse", "last_dev_perplexity"].tolist() == [400.0]
    markdown = (sweep / "comparison.md").read_text(encoding="utf-8")
    assert "| worse | done | 120.5 | 7 | 90.2 | 3 | 12.5 |" in markdown
    assert "baselines: uniform 300, unigram 200, bigram 150" in markdown
    assert (sweep / "curves.png").read_bytes().startswith(b"\x89PNG")
    page = (sweep / "curves.html").read_text(encoding="utf-8")
    assert "https://cdn" not in page
    assert len(page) > 500_000  # its scripts are inside


QUALITY = {
    "poems": 100,
    "temperature": 0.8,
    "prosody": "learned",
    "right_lines": 0.625,
    "free": {"rhyme": 0.07, "tones": 0.6, "distinct_1": 0.25, "distinct_2": 0.9, "distinct_3": 1.0,
             "longest_copy": 6, "copied_line": 0.03},
    "constrained": None,
    "not_constrained": "too few",
}  # fmt: skip


def test_quality_of_poems_beside_the_perplexity(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "outputs" / "s"
    record(folder, "measured", quality=QUALITY)
    record(folder, "older")
    comparison.close(folder)
    shown = capsys.readouterr().out
    assert re.search(r"measured +120\.5 +62% +7% +60% +– +– +90% +3%", shown)
    assert "the corpus's own" in shown
    read = pd.read_csv(folder / "comparison.csv").set_index("run")
    assert read.loc["measured", ["free_rhyme", "free_longest_copy"]].tolist() == [0.07, 6]
    assert math.isnan(read.loc["measured", "constrained_rhyme"])
    assert math.isnan(read.loc["older", "right_lines"])
    assert "| measured | 120.5 | 62% | 7% | 60% | – | – | 25% | 90% | 100% | 6 | 3% |" in (
        folder / "comparison.md"
    ).read_text(encoding="utf-8")


def test_the_sample_is_named_in_every_comparison(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "outputs" / "s"
    record(folder, "one", corpus={"name": "sample"})
    comparison.close(folder)
    assert "NOT 全唐诗" in capsys.readouterr().out
    assert "NOT 全唐诗" in (folder / "comparison.md").read_text(encoding="utf-8")
    assert "NOT 全唐诗" in json.dumps(
        curves.chart(curves.read({}), "corpus: sample, NOT 全唐诗").to_dict(), ensure_ascii=False
    )


def test_curves_are_the_evaluated_epochs(sweep: Path) -> None:
    points = curves.read({n: RunFolder(sweep / f"{n}-00000000") for n in ("worse", "killed")})
    development = points[points["side"] == "development"]
    assert development[["epoch", "loss"]].values.tolist() == [[0, 5.0], [1, 4.0], [2, 3.0]]
    assert set(points["run"]) == {"worse"}


@pytest.mark.parametrize(
    ("number", "shown"), [(7.0, "7"), (1_234.56, "1,234.6"), (1.6547e23, "1.7e+23"), (-0.25, "-0.2")]
)
def test_numbers_stay_readable(number: float, shown: str) -> None:
    assert readable(number) == shown


def test_names_that_clash_are_told_apart_and_unlike_texts_are_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "outputs" / "s"
    record(folder, "adam")
    other = made(folder / "adam-11111111")
    result = json.loads((folder / "adam-00000000" / "result.json").read_text())
    baselines = {"uniform": 90.0, "unigram": 80.0, "bigram": 70.0}
    corpus = {"name": "sample", "vocabulary_fingerprint": "a", "dev_fingerprint": "b"}
    other.result.write_text(json.dumps(result | {"corpus": corpus, "baselines": baselines}))
    other.config.write_text("")
    other.metrics.write_text("")  # a run that was stopped before its first row
    comparison.close(folder)
    shown = capsys.readouterr().out
    assert {"adam-00000000", "adam-11111111"} == set(pd.read_csv(folder / "comparison.csv")["run"])
    for text in ("sample and tang", "NOT 全唐诗", "do not compare", "uniform"):
        assert text in shown


def test_other_training_text_alone_does_not_forbid_to_compare(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "outputs" / "s"
    same = {"name": "tang", "vocabulary_fingerprint": "a", "dev_fingerprint": "b"}
    record(folder, "poems-100", corpus=same)
    record(folder, "poems-500", corpus=same, baselines={"uniform": 300.0, "unigram": 180.0, "bigram": 120.0})
    comparison.close(folder)
    shown = capsys.readouterr().out
    assert "do not compare" not in shown
    assert "unigram" in shown.splitlines()[1]


def test_figures_are_never_cut(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(sweep, "a-very-long-name-" + "x" * 60, dev={"perplexity": 1234.5}, train={"perplexity": 1.7e23})
    runs = comparison.table(sweep)
    printer = Console(width=80, file=io.StringIO())
    printer.print(comparison._console_table(runs, comparison.PERPLEXITY))
    text = printer.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    for figure in ("1,234.5", "1.7e+23", "12.5"):
        assert figure in text


def test_more_points_than_altairs_own_limit(home: Path) -> None:
    run = record(home / "outputs" / "s", "long")
    rows = "".join(f"{i},{i},,1.0,,,,1.0,2.7,0.1,1\n" for i in range(3, 3_000))
    run.metrics.write_text(run.metrics.read_text() + rows)
    assert curves.write(home, {"long": run}, "caption")
    assert (home / "curves.png").exists()


def test_a_loss_that_blew_up_does_not_flatten_the_others() -> None:
    rows = [("good", 0, 7.0), ("good", 1, 6.0), ("bad", 0, 7.2), ("bad", 1, 90.0)]
    points = pd.DataFrame(rows, columns=["run", "epoch", "loss"]).assign(side="development")
    drawn = curves.chart(points, "caption").to_dict()
    assert drawn["spec"]["encoding"]["y"]["scale"]["domainMax"] == pytest.approx(2.5 * 7.1)
    assert drawn["title"] == "caption; losses above 18 nats are cut off"
    calm = curves.chart(points[points["run"] == "good"], "caption").to_dict()
    assert calm["title"] == "caption"


def test_infinity_is_shown_as_such(home: Path) -> None:
    record(home / "outputs" / "s", "blown", dev={"perplexity": None, "loss": 1e20})
    [row] = comparison.table(home / "outputs" / "s").to_dict("records")
    assert row["dev_perplexity"] == math.inf


def test_an_empty_folder_says_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "empty").mkdir()
    comparison.close(home / "empty")
    assert capsys.readouterr().out == ""
    assert list((home / "empty").iterdir()) == []


def solving(folder: Path, cell: str, length: int, seed: int, accuracy: float, solved: int | None) -> None:
    run = record(
        folder,
        f"cell-{cell}_length-{length}_seed-{seed}",
        primary={"metric": "accuracy", "mode": "max"},
        dev={"accuracy": accuracy, "loss": 0.1, "perplexity": 1.1},
        train=None,
        last={"train": None, "dev": {"accuracy": accuracy, "loss": 0.1, "perplexity": 1.1}},
        steps=400,
        ended="budget" if solved is None else "solved",
        solved_step=solved,
        baselines={"uniform": 10.0},
        corpus={"name": "palindromes", "length": length, "dev_fingerprint": str(length)},
        seed=seed,
        overrides=[f"cell={cell}", f"corpus.length={length}", f"seed={seed}"],
    )
    run.metrics.unlink()
    metrics = MetricsFile(run.metrics)
    for step in range(0, 200 if solved else 400, 100):
        metrics.append({"step": step, "epoch": step // 100, "val/loss": 1.0, "val/accuracy": accuracy})
    metrics.close()


def test_tasks_with_accuracy_are_ranked_by_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "outputs" / "s"
    solving(folder, "rnn", 5, 0, 0.25, None)
    solving(folder, "lstm", 5, 0, 1.0, 300)
    solving(folder, "lstm", 5, 1, 0.9995, 100)
    solving(folder, "lstm", 10, 0, 0.5, None)
    comparison.close(folder)
    shown = capsys.readouterr().out
    read = pd.read_csv(folder / "comparison.csv")
    assert read["dev_accuracy"].tolist() == [1.0, 0.9995, 0.5, 0.25]
    for text in ("0.9995", "solved", "budget", "guessing: accuracy 0.1", "solved.html", "accuracy.html"):
        assert text in shown
    assert "do not compare" not in shown
    rates = pd.read_csv(folder / "solved.csv").set_index(["group", "length"])
    lstm = rates.loc[("cell-lstm", 5)]
    assert (lstm["seeds"], lstm["solved"], lstm["solved_share"]) == (2, 2, 1.0)
    assert (lstm["steps_to_solve_least"], lstm["steps_to_solve_median"]) == (100, 200)
    assert str(lstm["accuracies"]) == "1.000 1.000"
    assert rates.loc[("cell-rnn", 5), "solved"] == rates.loc[("cell-lstm", 10), "solved"] == 0
    for name in ("solved.png", "accuracy.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_a_failed_run_is_no_unsolved_seed(home: Path) -> None:
    folder = home / "outputs" / "s"
    solving(folder, "lstm", 5, 0, 1.0, 300)
    solving(folder, "lstm", 5, 1, 0.5, None)
    [broken] = folder.glob("*seed-1*")
    result = json.loads((broken / "result.json").read_text())
    (broken / "result.json").write_text(json.dumps(result | {"status": "failed", "dev": None, "last": None}))
    comparison.close(folder)
    rates = pd.read_csv(folder / "solved.csv").iloc[0]
    assert (rates["seeds"], rates["solved"], str(rates["accuracies"])) == (1, 1, "1.0")


def test_runs_of_one_name_are_told_apart_by_what_else_differs(home: Path) -> None:
    folder = home / "outputs" / "s"
    record(folder, "seed-0", overrides=["seed=0", "data.poems=5"])
    (folder / "seed-0-00000000").rename(folder / "seed-0-11111111")
    record(folder, "seed-0", overrides=["seed=0", "data.poems=10"])
    assert set(comparison.table(folder)["run"]) == {"seed-0 (poems-5)", "seed-0 (poems-10)"}


def test_groups_are_what_differs() -> None:
    runs = {
        "a": ["cell=lstm", "seed=0", "split_seed=3", "trainer.max_steps=9"],
        "b": ["cell=lstm", "seed=1", "split_seed=4", "trainer.max_steps=9"],
        "c": ["cell=rnn", "seed=0", "split_seed=3", "trainer.max_steps=9"],
    }
    assert grouping.groups(runs, without=("seed",)) == {
        "a": "cell-lstm_split_seed-3",
        "b": "cell-lstm_split_seed-4",
        "c": "cell-rnn_split_seed-3",
    }
    assert grouping.groups({"only": ["cell=lstm"]}, without=()) == {"only": "run"}


def test_a_mean_over_seeds_ends_where_the_first_seed_ends(home: Path) -> None:
    folder = home / "outputs" / "s"
    solving(folder, "lstm", 5, 0, 1.0, 100)
    solving(folder, "lstm", 5, 1, 0.5, None)
    named = {p.name.rpartition("-")[0]: RunFolder(p) for p in folder.iterdir()}
    drawn = accuracy.chart(accuracy.read(named, dict.fromkeys(named, "lstm")), "").to_dict()
    means = next(iter(drawn["datasets"][drawn["layer"][0]["data"]["name"]] for _ in [0]))
    assert [(row["step"], row["accuracy"]) for row in means] == [(0, 0.75), (100, 0.75)]
    assert {row["group"] for row in means} == {"lstm"}
