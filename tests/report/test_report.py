"""Reports on sweeps written by hand: what is ranked, what is told apart, what is said of what is missing."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.report.analysis.ranking import rank, seconds_to, thresholds
from tangsweep.report.charts import curves
from tangsweep.report.data.collect import collect
from tangsweep.report.data.comparability import comparable_sets
from tangsweep.report.render.blocks import Chart, Report, Table, Verses
from tangsweep.report.write import made, write
from tests.report.made import CORPUS, QUALITY, optimizers, record, run


@pytest.fixture
def sweep(home: Path) -> Path:
    return home / "outputs" / "s"


def report(sweep: Path) -> Report:
    return made([sweep])[1]


def part(found: Report, title: str, kind: type) -> Any:
    return next(
        p for s in found.sections if s.title.startswith(title) for p in s.parts if isinstance(p, kind)
    )


def cells(table: Table, column: str) -> list[str]:
    return [row[table.columns.index(column)] for row in table.rows]


def test_groups_are_ranked_by_the_mean_over_their_seeds(sweep: Path) -> None:
    optimizers(
        sweep, {"sgd": [500.0, 520.0, 510.0], "adam": [400.0, 380.0, 390.0], "rmsprop": [405.0, 379.0, 392.0]}
    )
    found = report(sweep)
    ranking = part(found, "Ranking", Table)
    assert cells(ranking, "group") == ["adam", "rmsprop", "sgd"]
    assert cells(ranking, "dev ppl") == ["390 ± 24.8", "392 ± 32.3", "510 ± 24.8"]
    assert cells(ranking, "seeds") == ["3 of 3"] * 3
    assert cells(ranking, "behind the best")[0] == "–"
    assert cells(ranking, "p")[0] == "–"
    assert float(cells(ranking, "p")[1]) > 0.05
    assert found.answers[0] == (
        "adam is best: development perplexity 390 ± 24.8 (3 seeds), before rmsprop with development perplexity "
        "392 ± 32.3 (3 seeds)."
    )
    assert found.answers[1] == (
        "Seed by seed it is ahead of sgd; not told apart from rmsprop (paired t-tests, Holm-corrected, level 0.05)."
    )
    assert found.question == "What does optimizer change?"
    assert "Baselines on the same text: uniform 1,366, unigram 565, bigram 553" in ranking.note
    assert not found.warnings


def test_a_clear_winner_is_called_one(sweep: Path) -> None:
    optimizers(sweep, {"sgd": [500.0, 521.0, 510.0], "adam": [400.0, 420.0, 411.0]})
    assert report(sweep).answers[1].startswith("Seed by seed it is ahead of all others (")


def test_one_seed_has_no_interval(sweep: Path) -> None:
    optimizers(sweep, {"sgd": [500.0], "adam": [400.0]})
    found = report(sweep)
    assert cells(part(found, "Ranking", Table), "dev ppl") == ["400", "500"]
    assert found.answers[1].startswith("Too few seeds to say how sure that is")
    assert "One seed only: no difference here can be told from luck." in found.warnings


def test_survivors_are_counted_and_failures_named(sweep: Path) -> None:
    optimizers(sweep, {"adam": [400.0, 410.0]})
    broken = record(None, seed=2, overrides=["optimizer=adam", "seed=2"], status="failed", error="it broke",
                    dev=None, train=None, last=None, best_epoch=None)  # fmt: skip
    run(sweep, "optimizer-adam_seed-2-2", broken, optimizer___target_="torch.optim.adam")
    lost = record(None, seed=3, overrides=["optimizer=adam", "seed=3"], status="diverged", dev=None, train=None,
                  last=None, best_epoch=None, diverged_step=9)  # fmt: skip
    run(sweep, "optimizer-adam_seed-3-3", lost, optimizer___target_="torch.optim.adam")
    run(sweep, "optimizer-adam_seed-4-4", None, seed=4, optimizer___target_="torch.optim.adam")
    found = report(sweep)
    ranking = part(found, "Ranking", Table)
    assert cells(ranking, "seeds") == ["2 of 5"]
    assert set(cells(ranking, "trouble")[0].split(", ")) == {"1 failed", "1 diverged", "1 crashed"}
    assert "1 of 5 runs failed." in found.warnings
    assert "1 of 5 runs diverged." in found.warnings
    assert any("have not ended (1 crashed)" in warning for warning in found.warnings)
    provenance = [
        p for s in found.sections if s.title == "Provenance" for p in s.parts if isinstance(p, Table)
    ]
    assert ["optimizer-adam_seed-2-2", "it broke"] in provenance[1].rows


def test_what_cannot_be_compared_is_ranked_apart(sweep: Path) -> None:
    optimizers(sweep, {"sgd": [500.0], "adam": [400.0]})
    other = {**CORPUS, "name": "sample", "dev_fingerprint": "d1", "vocabulary": 700}
    run(sweep, "other-1", record(50.0, corpus=other, overrides=["data.poems=50"]), data__poems=50)
    found = report(sweep)
    rankings = [s for s in found.sections if s.title.startswith("Ranking")]
    assert [s.title for s in rankings] == [
        "Ranking (tang, 700 held-out characters, vocabulary 1,366)",
        "Ranking (sample, 700 held-out characters, vocabulary 700)",
    ]
    assert [len(s.parts[0].rows) for s in rankings] == [2, 1]  # type: ignore[union-attr]
    assert any("scored on 2 different texts" in warning for warning in found.warnings)
    assert any("NOT 全唐诗" in warning for warning in found.warnings)
    refused = [s for s in found.sections if s.title == "Dataset size"]
    assert "no two amounts were scored on the same text" in str(refused[0].parts[0])


def test_commits_and_changes_are_told(sweep: Path) -> None:
    optimizers(sweep, {"sgd": [500.0]})
    run(sweep, "b-1", record(400.0, git={"commit": "fedcba9876543210", "dirty": True}), optimizer__lr=0.1)
    warnings = " ".join(report(sweep).warnings)
    assert "2 commits (01234567, fedcba98)" in warnings or "2 commits (fedcba98, 01234567)" in warnings
    assert "1 runs come from a checkout with changes" in warnings


def test_accuracy_ranks_upward(sweep: Path) -> None:
    primary = {"metric": "accuracy", "mode": "max"}
    for cell, scores in {"rnn": [0.2, 0.3], "lstm": [1.0, 0.999]}.items():
        for seed, score in enumerate(scores):
            result = record(2.0, primary=primary, seed=seed, overrides=[f"cell={cell}", f"seed={seed}"],
                            corpus={"name": "palindromes", "length": 20},
                            solved_step=100 * (seed + 1) if cell == "lstm" else None)  # fmt: skip
            result["dev"]["accuracy"] = score
            run(
                sweep,
                f"{cell}-{seed}",
                result,
                corpus__name="palindromes",
                corpus__primary=primary,
                cell=cell,
            )
    found = report(sweep)
    ranking = part(found, "Ranking", Table)
    assert cells(ranking, "group") == ["lstm", "rnn"]
    assert cells(ranking, "accuracy") == ["0.9995 (0.9990 to 1.0000)", "0.2500 (0.2000 to 0.3000)"]
    assert found.answers[0].startswith("lstm is best: solved by 2 of 2 runs, accuracy 0.9995")
    assert "Guessing: accuracy 0.00073" in ranking.note
    solved = part(found, "Solved", Table)
    assert [row[:4] for row in solved.rows] == [
        ["lstm", "20", "2 of 2", "100, 150, 200"],
        ["rnn", "20", "0 of 2", "–"],
    ]
    assert found.tables["solved"]["accuracies"].tolist() == ["0.999 1.000", "0.200 0.300"]


def test_infinity_is_shown_as_such(sweep: Path) -> None:
    run(sweep, "a-1", record(None, dev={"perplexity": None, "loss": None}, overrides=["optimizer=sgd"]))
    run(sweep, "b-1", record(400.0, overrides=["optimizer=adam"]), optimizer__lr=1)
    assert cells(part(report(sweep), "Ranking", Table), "dev ppl") == ["400", "∞"]


def test_learning_rates(sweep: Path) -> None:
    scores = {0.001: [500.0, 510.0], 0.01: [400.0, 410.0], 0.1: [390.0, 400.0], 1.0: []}
    for rate, by_seed in scores.items():
        for seed, score in enumerate(by_seed or [None, None]):
            status = {} if score else {"status": "diverged", "dev": None, "train": None, "last": None}
            result = record(score, seed=seed, overrides=[f"optimizer.lr={rate}", f"seed={seed}"], **status)
            run(sweep, f"lr-{rate}-{seed}", result, optimizer__lr=rate)
    found = report(sweep)
    table = found.tables["learning_rates"]
    assert table["rate"].tolist() == [0.001, 0.01, 0.1, 1.0]
    assert table["score"].fillna(-1).tolist() == [505.0, 405.0, 395.0, -1]
    assert table["best"].tolist() == [False, False, True, False]
    assert part(found, "Learning rates", Table).rows == [["all", "50%"]]
    assert not any("edge" in warning for warning in found.warnings)
    drawn = part(found, "Learning rates", Chart).spec
    assert any(row.get("rate") == 1.0 for rows in drawn["datasets"].values() for row in rows)
    for seed in (0, 1):
        result = record(380.0 + seed, seed=seed, overrides=["optimizer.lr=1.0", f"seed={seed}"])
        (sweep / f"lr-1.0-{seed}" / "result.json").write_text(json.dumps(result))
    assert any("edge of its grid: all (best at 1)" in warning for warning in report(sweep).warnings)


def test_dataset_sizes_on_one_development_set(sweep: Path) -> None:
    for poems, characters in ((100, 5_000), (1_000, 50_000), (10_000, 500_000)):
        corpus = {**CORPUS, "characters": {"train": characters, "dev": 700}, "fingerprint": str(poems)}
        result = record(2_000 * characters**-0.2, corpus=corpus, overrides=[f"data.poems={poems}"])
        run(sweep, f"poems-{poems}", result, data__poems=poems)
    chart = part(report(sweep), "Dataset size", Chart)
    assert re.search(
        r"perplexity ~ characters\^-0\.200 \(95 % interval -0\.200 to -0\.200, 3 runs\)", chart.caption
    )


def test_initializations(sweep: Path) -> None:
    for scheme in ("zeros", "uniform"):
        run(
            sweep,
            f"{scheme}-1",
            record(400.0, overrides=[f"init={scheme}"]),
            init__scheme={"_target_": scheme},
        )
    found = report(sweep)
    charts = {
        p.name for s in found.sections if s.title == "Initialization" for p in s.parts if isinstance(p, Chart)
    }
    assert charts == {"first_epoch", "distinct_units"}
    assert sorted(part(found, "Initialization", Table).rows) == [
        ["uniform-1", "5", "1.5"],
        ["zeros-1", "5", "1.5"],
    ]


def test_poems_of_the_best_run_of_each_group(sweep: Path) -> None:
    optimizers(sweep, {"sgd": [500.0, 490.0], "adam": [400.0, 410.0]})
    for path in sweep.iterdir():
        (path / "poems.txt").write_text(
            f"# 日  5 characters\n{path.name}，\n<b>。\n\n# 山  5\n山。\n", encoding="utf-8"
        )
    verses = part(report(sweep), "Poems", Verses)
    assert verses.poems == [
        ("adam", "optimizer-adam_seed-0-00000000，\n<b>。\n\n山。"),
        ("sgd", "optimizer-sgd_seed-1-00000001，\n<b>。\n\n山。"),
    ]


def test_published_figures(sweep: Path) -> None:
    figures = {
        "vocabulary": {"published": 2558, "ours": 2558},
        "train_perplexity": {"published": 57.7, "ours": None},
    }
    differing = {"differences": "epochs are not stated"}
    run(sweep, "a-1", record(400.0, published=figures, ended="budget"), published=differing)
    found = report(sweep)
    assert "a-1 differs in its setting: epochs are not stated." in next(
        section.parts for section in found.sections if section.title == "Published figures"
    )
    rows = part(found, "Published", Table).rows
    assert rows == [
        ["a-1", "vocabulary", "2,558", "2,558", "10 epochs, 1000 steps, ended by budget"],
        ["a-1", "train_perplexity", "57.7", "–", "10 epochs, 1000 steps, ended by budget"],
    ]


def test_the_question_of_a_sweep_file(sweep: Path) -> None:
    run(sweep, "a-1", record(400.0), sweep__question="Which is best?")
    assert report(sweep).question == "Which is best?"


def test_what_cannot_be_read_is_named_and_hides_nothing(sweep: Path) -> None:
    optimizers(
        sweep, {"sgd": [500.0], "adam": [400.0], "rmsprop": [300.0], "adagrad": [310.0], "adamw": [320.0]}
    )
    paths = {path.name.split("_")[0].removeprefix("optimizer-"): path for path in sweep.iterdir()}
    (paths["adam"] / "result.json").write_text('{"status": "done", "pri')
    (paths["rmsprop"] / "result.json").write_text('{"accuracy": 3}')
    with (paths["adagrad"] / "metrics.csv").open("a") as file:
        file.write("40,4,,3.")
    (paths["adamw"] / "metrics.csv").write_bytes(b"\xff\xfe\x00nonsense")
    (paths["sgd"] / "config.yaml").write_text("{unclosed: [")
    (sweep / "commands.jsonl").write_text("not json\n")
    (sweep / "notes").mkdir()
    found, whole = made([sweep])
    assert len(found.runs) == 5
    assert {Path(u.path).name.split(",")[0]: u.why for u in found.unread if "result" in u.path} != {}
    why = {Path(u.path.split(", line")[0]).relative_to(sweep).as_posix(): u.why for u in found.unread}
    assert why[f"{paths['adam'].name}/result.json"] == "no JSON: JSONDecodeError"
    assert why[f"{paths['rmsprop'].name}/result.json"] == "no record of this project"
    assert why[f"{paths['adagrad'].name}/metrics.csv"] == "its last line is cut off, and left out"
    assert why[f"{paths['adamw'].name}/metrics.csv"].startswith("no metrics")
    assert why[f"{paths['sgd'].name}/config.yaml"].startswith("no config")
    assert why["commands.jsonl"] == "no JSON"
    assert len(part(whole, "Could not be read", Table).rows) == 6
    assert any("6 files could not be read" in warning for warning in whole.warnings)


def test_folders_without_runs(home: Path) -> None:
    with pytest.raises(UserError, match="does not exist: name the folder of a sweep"):
        made([home / "nowhere"])
    (home / "empty").mkdir()
    with pytest.raises(UserError, match="holds no run"):
        made([home / "empty"])


def test_runs_that_have_not_ended_only(sweep: Path) -> None:
    run(sweep, "a-1", None)
    found = report(sweep)
    assert found.answers == ["No run has a score yet."]
    assert cells(part(found, "Ranking", Table), "dev ppl") == ["–"]


def test_several_folders_make_one_report(home: Path) -> None:
    for name, score in (("one", 400.0), ("two", 390.0)):
        run(home / name, "same-1", record(score, overrides=[f"optimizer={name}"]), optimizer__lr=score)
    found, whole = made([home / "one", home / "two"])
    assert whole.title == "one and two"
    assert found.runs["run"].tolist() == ["one/same-1", "two/same-1"]
    assert cells(part(whole, "Ranking", Table), "group") == ["two", "one"]
    for name, score in (("a/s", 400.0), ("b/s", 390.0)):
        run(home / name, "same-1", record(score, overrides=[f"optimizer={name}"]), optimizer__lr=score)
    alike, _ = made([home / "a" / "s", home / "b" / "s", home / "a" / "s"])
    assert alike.runs["run"].tolist() == ["a/s/same-1", "b/s/same-1"]


def test_files(sweep: Path, tmp_path: Path) -> None:
    nasty = "</script><script>alert(1)</script>"
    optimizers(sweep, {"sgd": [500.0, 510.0], "adam": [400.0, 410.0]})
    broken = record(None, seed=7, status="failed", error=f"<b>{nasty}|", dev=None, train=None, last=None)
    run(sweep, "nasty-1", {**broken, "overrides": [f"optimizer={nasty}"]}, optimizer__lr=nasty)
    before = {path: path.read_bytes() for path in sweep.rglob("*") if path.is_file()}
    out = tmp_path / "out"
    files = write(report(sweep), out)
    assert {
        path: path.read_bytes() for path in sweep.rglob("*") if path.is_file()
    } == before  # nothing is changed
    assert {str(path.relative_to(out)) for path in files} == {
        "report.html", "report.md", "tables/runs.csv", "tables/epochs.csv", "tables/ranking.csv",
        "figures/curves.png", "figures/curves.svg",
    }  # fmt: skip
    page = (out / "report.html").read_text(encoding="utf-8")
    body = page[: page.index("<script>")]
    assert "<script>alert" not in page
    assert "&lt;b&gt;&lt;/script&gt;" in body
    assert "default-src 'none'" in page
    assert (out / "figures" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "figures" / "curves.svg").read_text().startswith("<svg")
    markdown = (out / "report.md").read_text(encoding="utf-8")
    assert "\\<b\\>" in markdown and "![curves](figures/curves.png)" in markdown
    runs = pd.read_csv(out / "tables" / "runs.csv")
    assert len(runs) == 5 and runs["run"].is_unique
    assert {"config.optimizer.lr", "config.seed", "dev_perplexity"} <= set(runs.columns)
    epochs = pd.read_csv(out / "tables" / "epochs.csv")
    assert epochs.groupby("run").size().tolist() == [3] * 5
    first = epochs[epochs["group"] == "adam"].iloc[2]
    assert (first["epoch"], first["characters"], first["dev_loss"], first["train_loss"]) == (
        2,
        10_000,
        5.0,
        4.5,
    )


def test_curves_of_survivors_are_no_means(sweep: Path) -> None:
    adam = {"optimizer___target_": "torch.optim.adam"}
    for seed, losses in enumerate(((7.0, 6.0, 5.0), (7.0, 6.0), (7.0, 6.5, math.inf))):
        result = record(400.0, seed=seed, overrides=["optimizer=adam", f"seed={seed}"])
        run(sweep, f"adam-{seed}", result, losses, **adam)
    found = collect([sweep])
    means = curves.means(found.epochs, found.runs, by_accuracy=False)
    development = means[means["side"] == "development"]
    assert development["epoch"].tolist() == [0, 1]
    assert development["value"].round(3).tolist() == [7.0, 6.167]
    assert development["runs"].tolist() == [3, 3]
    points = curves.points(found.epochs, by_accuracy=False)
    assert len(points[points["side"] == "development"]) == 7  # infinity is no point


def test_a_run_without_curves_is_one_that_no_mean_can_speak_for(sweep: Path) -> None:
    optimizers(sweep, {"adam": [400.0, 410.0], "sgd": [500.0, 510.0]})
    (sweep / "optimizer-adam_seed-1-00000001" / "metrics.csv").unlink()
    found = collect([sweep])
    assert set(curves.means(found.epochs, found.runs, by_accuracy=False)["group"]) == {"sgd"}
    assert [u.why for u in found.unread] == ["there is none, though the run ended"]


def test_thinning_keeps_ends_and_extremes() -> None:
    rows = [
        {"run": f"r{n}", "side": "development", "epoch": e, "value": float((e * 7919 + n) % 1013)}
        for n in range(2_000)
        for e in range(60)
    ]
    whole = pd.DataFrame(rows)
    kept = curves.thinned(whole, ["run", "side"])
    assert len(kept) < 2_000 * (curves.FEWEST + 4)
    for name, same in list(whole.groupby("run"))[:50]:
        own = kept[kept["run"] == name]
        assert {0, 59} <= set(own["epoch"])
        assert {same["value"].min(), same["value"].max()} <= set(own["value"])
    few = whole[whole["run"].isin(["r1", "r2"])].reset_index(drop=True)
    assert len(curves.thinned(few, ["run", "side"])) == len(few)


def test_seconds_until_a_perplexity(sweep: Path) -> None:
    adam = {"optimizer___target_": "torch.optim.adam"}
    run(sweep, "adam-0", record(400.0, overrides=["optimizer=adam", "seed=0"]), (7.0, 6.0, 5.0), **adam)
    run(
        sweep,
        "adam-1",
        record(400.0, seed=1, overrides=["optimizer=adam", "seed=1"]),
        (7.0, 6.9, 6.0),
        **adam,
    )
    found = collect([sweep])
    [of_tang] = comparable_sets(found.runs)
    table = seconds_to(of_tang, found.epochs, [math.exp(6.0) + 1, math.exp(5.0) + 1, 1.0])
    assert table["seconds"].fillna(-1).tolist() == [3.0, 4.0, -1.0]
    assert table["reached"].tolist() == [2, 1, 0]
    assert table["runs"].tolist() == [2, 2, 2]
    assert thresholds(rank(of_tang._replace(runs=of_tang.runs.assign(unigram=399.0)))) == [
        600.0,
        553.0,
        440.0,
    ]
    assert thresholds(rank(of_tang)) == [600.0, 565.0, 553.0, 440.0]


def test_no_more_is_claimed_than_was_tested(sweep: Path) -> None:
    optimizers(sweep, {"a": [200.0, 201.0, 50.0, 50.0, 50.0], "b": [150.0, 151.5], "c": [300.0]})
    told = report(sweep).answers[1]
    assert "ahead of" not in told
    assert "not told apart from b" in told
    assert "not tested against c, with which it shares too few seeds" in told


def test_a_best_group_of_survivors_says_so(sweep: Path) -> None:
    optimizers(sweep, {"a": [100.0, 101.0], "b": [200.0, 201.0, 202.0]})
    lost = record(None, seed=2, overrides=["optimizer=a", "seed=2"], status="diverged", dev=None, train=None)
    run(sweep, "a-2", lost, optimizer___target_="torch.optim.a")
    assert "(2 seeds; of 3 runs 1 diverged), before b with" in report(sweep).answers[0]


def test_older_records_without_fingerprints_are_not_mixed(sweep: Path) -> None:
    for poems, characters in ((1000, 100), (2000, 900)):
        corpus = {
            "name": "tang",
            "fingerprint": str(poems),
            "vocabulary": poems,
            "characters": {"dev": characters},
        }
        run(
            sweep,
            f"p-{poems}",
            record(400.0, corpus=corpus, overrides=[f"data.poems={poems}"]),
            data__poems=poems,
        )
    assert any("scored on 2 different texts" in warning for warning in report(sweep).warnings)


def test_a_seed_counts_once(home: Path) -> None:
    for name, scores in (("one", [100.0, 101.0]), ("two", [300.0, 301.0])):
        optimizers(home / name, {"sgd": scores})
    found = made([home / "one", home / "two"])[1]
    assert cells(part(found, "Ranking", Table), "dev ppl") == ["200.5 ± 6.4"]
    assert any("2 runs have the seed of another run" in warning for warning in found.warnings)


def test_keys_that_came_later_make_no_group(sweep: Path) -> None:
    run(sweep, "old-1", record(400.0))
    run(sweep, "new-1", record(410.0, seed=1, overrides=["seed=1"]), trainer={"threads": 1, "give_up": False})
    assert cells(part(report(sweep), "Ranking", Table), "group") == ["default"]


def test_a_rate_that_failed_has_not_diverged(sweep: Path) -> None:
    for rate, status in ((0.1, "done"), (0.2, "done"), (0.9, "failed"), (3.0, "diverged")):
        ended = {} if status == "done" else {"dev": {}, "train": None, "last": None}
        run(
            sweep,
            f"lr-{rate}",
            record(400.0, status=status, overrides=[f"optimizer.lr={rate}"], **ended),
            optimizer__lr=rate,
        )
    found = report(sweep)
    table = found.tables["learning_rates"].set_index("rate")
    assert table["diverged"].tolist() == [False, False, False, True]
    assert part(found, "Learning rates", Table).rows == [["all", "67%"]]
    assert any("1 rates have no run that ended" in str(p) for s in found.sections for p in s.parts)


def test_what_is_cut_off_is_drawn_at_the_edge(sweep: Path) -> None:
    lost = record(None, status="diverged", dev=None, train=None, overrides=["optimizer=sgd"])
    run(sweep, "a-1", lost, (7.0, 6.0, 30.0))
    run(sweep, "b-1", record(400.0, overrides=["optimizer=adam"]), (7.0, 6.0, 5.0), optimizer__lr=1)
    spec = part(report(sweep), "Curves", Chart).spec
    [rows] = spec["datasets"].values()
    assert {row["value"] for row in rows if row["kind"] == "end" and row["side"] == "development"} == {30.0}
    assert "clamp(datum.value, 0, 17.5)" in json.dumps(spec)


def test_odd_values_in_records_are_no_crash(sweep: Path) -> None:
    run(sweep, "a-1", record(400.0, seed=None, published={"a": 3}))
    run(sweep, "b-1", record(300.0), optimizer__lr=1)
    nasty = ["optimizer=<img src=x>", "data.name=a b"]
    (sweep / "commands.jsonl").write_text(
        json.dumps({"arguments": None}) + "\n" + json.dumps({"arguments": nasty})
    )
    found = report(sweep)
    assert "'data.name=a b'" in next(
        p for s in found.sections if s.title == "Provenance" for p in s.parts if isinstance(p, str)
    )
    from tangsweep.report.render.markdown import markdown

    assert "<img" not in markdown(found).replace("\\<", "")


def test_quality_of_poems_beside_the_perplexity(sweep: Path) -> None:
    run(sweep, "a-1", record(400.0, quality=QUALITY, overrides=["optimizer=a"]))
    run(sweep, "b-1", record(500.0, overrides=["optimizer=b"]), optimizer__lr=1)
    found = report(sweep)
    table = part(found, "Poems", Table)
    assert table.rows[0] == ["a", "62%", "7%", "60%", "–", "–", "25%", "90%", "100%", "6", "3%", "400"]
    assert table.rows[1][1:-1] == ["–"] * 10
    assert found.tables["runs"]["free_longest_copy"].dropna().tolist() == [6]


class TestWarnings:
    def test_runs_that_a_command_asked_for_and_that_are_not_there(self, sweep: Path) -> None:
        optimizers(sweep, {"sgd": [500.0, 501.0], "adam": [400.0, 401.0]})
        (sweep / "commands.jsonl").write_text('{"arguments": [], "runs": 2}\n{"arguments": [], "runs": 6}\n')
        assert "2 of the 6 runs that a command asked of s are missing." in report(sweep).warnings

    def test_one_seed_of_some_groups(self, sweep: Path) -> None:
        optimizers(sweep, {"sgd": [500.0, 501.0], "adam": [400.0]})
        assert "One seed only of adam: no difference to them can be told from luck." in report(sweep).warnings


class TestAccuracies:
    def solving(self, sweep: Path, name: str, *seeds: tuple[float, int | None], **config: Any) -> None:
        primary = {"primary": {"metric": "accuracy", "mode": "max"}}
        for seed, (accuracy, step) in enumerate(seeds):
            result = record(2.0, seed=seed, overrides=[f"cell={name}"], solved_step=step, **primary)
            result["dev"]["accuracy"] = accuracy
            result["corpus"] = {**CORPUS, "name": "palindromes", "length": 10}
            run(sweep, f"{name}-{seed}", result, corpus__primary=primary["primary"], optimizer__lr=name)

    def test_who_solves_more_often_then_sooner_is_first(self, sweep: Path) -> None:
        self.solving(sweep, "often", (1.0, 900), (1.0, 700))
        self.solving(sweep, "soon", (1.0, 100), (1.0, 200))
        self.solving(sweep, "once", (1.0, 50), (0.999, None))
        found = report(sweep)
        ranking = part(found, "Ranking", Table)
        assert cells(ranking, "group") == ["soon", "often", "once"]
        assert cells(ranking, "solved at") == ["150", "800", "50.00 (1 of 2)"]
        rows = found.tables["ranking"]
        assert rows["solved"].tolist() == [2, 2, 1] and rows["could_solve"].tolist() == [2, 2, 2]
        assert rows["low"].tolist() == [1.0, 1.0, 0.999]  # least and largest, no interval
        assert "Too few seeds" not in found.answers[1]
        assert rows["p_holm"].isna().all() and set(cells(ranking, "p")) == {
            "–"
        }  # all or nothing is not tested

    def test_seeds_that_reach_above_others(self, sweep: Path) -> None:
        self.solving(sweep, "high", (0.7, None), (0.6, None))
        self.solving(sweep, "low", (0.5, None), (0.4, None))
        self.solving(sweep, "wide", (0.65, None), (0.1, None))
        assert report(sweep).answers[1] == (
            "Its least accurate seed is above every seed of low, and not above the best of wide "
            "(no test: accuracies are often all or nothing)."
        )


def test_every_column_of_every_table_is_documented(sweep: Path) -> None:
    told = set(re.findall(r"`([^`]+)`", (REPOSITORY / "docs" / "report.md").read_text(encoding="utf-8")))
    for rate in (0.1, 1.0):
        for poems in (50, 500, 5_000):
            corpus = {**CORPUS, "characters": {"train": 50 * poems, "dev": 700}, "length": 5}
            overrides = [f"optimizer.lr={rate}", f"data.poems={poems}"]
            run(
                sweep,
                f"{rate}-{poems}",
                record(400.0, corpus=corpus, overrides=overrides),
                optimizer__lr=rate,
                data__poems=poems,
            )
    tables = report(sweep).tables
    assert set(tables) == {"runs", "epochs", "ranking", "learning_rates", "sizes", "solved"}
    of_poems = re.compile("(free|constrained)_")
    for name, table in tables.items():
        plain = {column for column in table if not column.startswith("config.")}
        assert {of_poems.sub("", column) for column in plain} <= told, name


def test_equal_titles_of_different_texts_are_told_apart(sweep: Path) -> None:
    for name in ("one", "two"):
        corpus = {**CORPUS, "dev_fingerprint": name}
        run(sweep, name, record(400.0, corpus=corpus, overrides=[f"optimizer={name}"]), optimizer__lr=name)
    titles = [ranking.part.title for ranking in report(sweep).rankings]
    assert [title.partition(", text ")[2] for title in titles] == [
        "one vocabulary v0 corpus c0",
        "two vocabulary v0 corpus c0",
    ]


def test_a_group_named_after_nothing_keeps_its_key(sweep: Path) -> None:
    for value, score in (("null", 400.0), ("cosine", 300.0)):
        run(sweep, value, record(score, overrides=[f"scheduler={value}"]), optimizer__lr=score)
    assert report(sweep).tables["ranking"]["group"].tolist() == ["cosine", "scheduler=null"]


def test_sizes_that_the_chart_lacks_are_named(sweep: Path) -> None:
    for poems, text in ((50, "d0"), (500, "d0"), (5_000, "other")):
        corpus = {**CORPUS, "characters": {"train": 50 * poems, "dev": 700}, "dev_fingerprint": text}
        run(
            sweep,
            f"p-{poems}",
            record(400.0, corpus=corpus, overrides=[f"data.poems={poems}"]),
            data__poems=poems,
        )
    [shown] = [section.parts for section in report(sweep).sections if section.title == "Dataset size"]
    assert shown[-1] == "Left out, scored on another text or not at all: p-5000."
