"""Rankings of sweeps written by hand: order, scores, times."""

import math
from pathlib import Path

import pytest

from tangsweep.reporting.analysis.rank_groups import rank_groups
from tangsweep.reporting.analysis.training_times import perplexity_thresholds, seconds_to_reach
from tangsweep.reporting.blocks import Table
from tangsweep.reporting.build import report_on
from tangsweep.reporting.data.collect import collect
from tangsweep.reporting.data.comparability import comparable_sets
from tangsweep.reporting.text.ranking_table import ranking_section
from tests.reporting.written_sweeps import (
    CORPUS,
    cells,
    find_block,
    record,
    report_of,
    write_optimizer_runs,
    write_run,
)


def test_groups_are_ranked_by_the_mean_over_their_seeds(sweep: Path) -> None:
    write_optimizer_runs(
        sweep, {"sgd": [500.0, 520.0, 510.0], "adam": [400.0, 380.0, 390.0], "rmsprop": [405.0, 379.0, 392.0]}
    )
    report = report_of(sweep)
    ranking = find_block(report, "Ranking", Table)
    assert cells(ranking, "group") == ["adam", "rmsprop", "sgd"]
    assert cells(ranking, "development perplexity") == ["389.9", "391.9", "509.9"]
    # exp of the t-interval over ln 400, ln 380, ln 390
    assert cells(ranking, "95 % interval") == ["365.8 to 415.6", "360.9 to 425.5", "485.7 to 535.4"]
    assert cells(ranking, "seeds with a score") == ["3 of 3"] * 3
    assert cells(ranking, "difference to the first")[0] == "–"
    assert cells(ranking, "p (corrected)")[0] == "–"
    assert float(cells(ranking, "p (corrected)")[1]) > 0.05
    assert report.answers[0] == (
        "adam has the lowest score: development perplexity 389.9 (95 % interval 365.8 to 415.6; 3 seeds). Next is rmsprop: "
        "development perplexity 391.9 (95 % interval 360.9 to 425.5; 3 seeds)."
    )
    assert report.answers[1] == (
        "Over the seeds 0, 1, 2 it is better than sgd; not significantly different from rmsprop "
        "(Tukey's test for all pairs of groups, with one variance; level 0.05)."
    )
    assert report.question == "Which optimizer is best?"
    assert "Baselines on the same characters: uniform 1,366, unigram 565, bigram 553" in ranking.note
    assert "by the test that the answer names, and times 1.1, since scores decide which" in ranking.note
    [warning] = report.warnings
    assert warning.startswith("The ranking is by development scores, which also chose each run's best epoch")


def test_one_seed_has_no_interval(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"sgd": [500.0], "adam": [400.0]})
    report = report_of(sweep)
    assert cells(find_block(report, "Ranking", Table), "development perplexity") == ["400.0", "500.0"]
    assert "times 1.1" not in find_block(report, "Ranking", Table).note
    assert report.answers[0].startswith("adam has the lowest score: ")
    assert report.answers[1].startswith(
        "One seed says nothing about other seeds, so there is no test; add some"
    )
    assert (
        "There is only one seed per group: no difference can be distinguished from chance." in report.warnings
    )


def test_accuracy_ranks_upward(sweep: Path) -> None:
    primary = {"metric": "accuracy", "mode": "max"}
    for cell, scores in {"rnn": [0.2, 0.3], "lstm": [1.0, 0.999]}.items():
        for seed, score in enumerate(scores):
            result = record(2.0, primary=primary, seed=seed, overrides=[f"cell={cell}", f"seed={seed}"],
                            corpus={"name": "palindromes", "length": 20},
                            solved_step=100 * (seed + 1) if cell == "lstm" else None)  # fmt: skip
            result["dev"]["accuracy"] = score
            write_run(
                sweep,
                f"{cell}-{seed}",
                result,
                corpus__name="palindromes",
                corpus__primary=primary,
                cell=cell,
            )
    report = report_of(sweep)
    ranking = find_block(report, "Ranking", Table)
    assert cells(ranking, "group") == ["lstm", "rnn"]
    assert cells(ranking, "accuracy") == ["0.9995 (0.9990 to 1.0000)", "0.2500 (0.2000 to 0.3000)"]
    assert report.answers[0].startswith("lstm comes first: solved by 2 of 2 runs, accuracy 0.9995")
    assert "Accuracy of guessing: 0.00073" in ranking.note
    solved = find_block(report, "Solve rates", Table)
    assert [row[:4] for row in solved.rows] == [
        ["lstm", "20", "2 of 2", "100, 150, 200"],
        ["rnn", "20", "0 of 2", "–"],
    ]
    assert report.tables["solved"]["accuracies"].tolist() == ["0.999 1.000", "0.200 0.300"]


class TestSeeds:
    def test_groups_are_ranked_and_tested_over_the_same_seeds(self, sweep: Path) -> None:
        """B has two more seeds, and bad ones: they are no reason to rank it behind A, and are named."""
        write_optimizer_runs(sweep, {"a": [100.0, 100.5, 101.0], "b": [90.0, 90.6, 90.9, 200.0, 200.0]})
        report = report_of(sweep)
        ranking = find_block(report, "Ranking", Table)
        assert cells(ranking, "group") == ["b", "a"]
        assert cells(ranking, "development perplexity") == ["90.5", "100.5"]
        assert cells(ranking, "seeds with a score") == ["3 of 5", "3 of 3"]
        assert report.answers[0].startswith("b is best: ")
        assert report.answers[1].startswith(
            "Over the seeds 0, 1, 2 it is better than every other group (paired t-test; p of"
        )
        assert report.answers[2] == "Seeds that not every compared group has are left out: of b."

    def test_a_partly_finished_group_does_not_lead(self, sweep: Path) -> None:
        write_optimizer_runs(sweep, {"a": [100.0, 102.0, 101.0], "b": [200.0, 201.0, 203.0], "c": [50.0]})
        report = report_of(sweep)
        assert cells(find_block(report, "Ranking", Table), "group") == ["a", "b", "c"]
        assert report.answers[0].startswith("a comes first of those that share their seeds: ")
        assert "it is better than b (" in report.answers[1]
        assert report.answers[2] == "Not compared, because seeds are missing: c."
        assert report.tables["ranking"]["compared"].tolist() == [True, True, False]


class TestFailures:
    def lose(self, sweep: Path, group: str, seed: int, status: str) -> None:
        lost = record(
            None,
            seed=seed,
            overrides=[f"optimizer={group}", f"seed={seed}"],
            status=status,
            dev=None,
            train=None,
        )
        write_run(sweep, f"{group}-{seed}", lost, optimizer___target_=f"torch.optim.{group}")

    @pytest.mark.parametrize("status", ["failed", "diverged"])
    def test_a_single_survivor_is_never_best(self, sweep: Path, status: str) -> None:
        write_optimizer_runs(sweep, {"lucky": [10.0], "sound": [100.0, 101.0, 103.0, 102.0, 104.0]})
        for seed in range(1, 5):
            self.lose(sweep, "lucky", seed, status)
        report = report_of(sweep)
        assert cells(find_block(report, "Ranking", Table), "group") == ["sound", "lucky"]
        assert "lucky is best" not in " ".join(report.answers)
        assert "Not compared, because some runs failed or diverged: lucky." in report.answers

    def test_where_all_groups_lost_runs_none_is_best(self, sweep: Path) -> None:
        write_optimizer_runs(sweep, {"a": [10.0, 11.0], "b": [20.0, 22.0]})
        for group in ("a", "b"):
            self.lose(sweep, group, 2, "diverged")
        answers = report_of(sweep).answers
        assert answers[0].startswith("No group can be called best")
        assert "is best" not in " ".join(answers)

    def test_five_of_five_diverged(self, sweep: Path) -> None:
        """Each has a score of the epochs before; none is a result of the setting."""
        write_optimizer_runs(sweep, {"sound": [100.0, 101.0, 103.0, 102.0, 104.0]})
        for seed in range(5):
            lost = record(
                10.0 + seed, seed=seed, overrides=["optimizer=wild", f"seed={seed}"], status="diverged"
            )
            write_run(sweep, f"wild-{seed}", lost, optimizer___target_="torch.optim.wild")
        report = report_of(sweep)
        assert cells(find_block(report, "Ranking", Table), "group") == ["sound", "wild"]

    def test_failures_count_as_not_solved(self, sweep: Path) -> None:
        """One of five solved, the others failed: behind four of five."""
        primary = {"metric": "accuracy", "mode": "max"}
        corpus = {**CORPUS, "name": "palindromes", "length": 10}
        runs = {"once": [50, None, None, None, None], "often": [900, 800, 700, 600, None]}
        for name, steps in runs.items():
            for seed, step in enumerate(steps):
                status = "failed" if name == "once" and step is None else "done"
                result = record(2.0, seed=seed, overrides=[f"cell={name}"], primary=primary, solved_step=step)
                result |= {"corpus": corpus, "status": status}
                result["dev"] = {**result["dev"], "accuracy": 1.0} if status == "done" else None
                write_run(sweep, f"{name}-{seed}", result, corpus__primary=primary, optimizer__lr=name)
        report = report_of(sweep)
        assert cells(find_block(report, "Ranking", Table), "group") == ["often", "once"]
        assert report.answers[0].startswith("often comes first: solved by 4 of 5 runs")


def test_infinity_is_shown_as_such(sweep: Path) -> None:
    write_run(sweep, "a-1", record(None, dev={"perplexity": None, "loss": None}, overrides=["optimizer=sgd"]))
    write_run(sweep, "b-1", record(400.0, overrides=["optimizer=adam"]), optimizer__lr=1)
    assert cells(find_block(report_of(sweep), "Ranking", Table), "development perplexity") == ["400.0", "∞"]


def test_a_seed_counts_once(home: Path) -> None:
    """The mean of the losses of a seed's runs counts: 173.8 is exp of the mean of ln 100, 101, 300 and 301."""
    for name, scores in (("one", [100.0, 101.0]), ("two", [300.0, 301.0])):
        write_optimizer_runs(home / name, {"sgd": scores})
    report = report_on([home / "one", home / "two"])[1]
    assert cells(find_block(report, "Ranking", Table), "development perplexity") == ["173.8"]
    assert any("2 runs have the seed of another run" in warning for warning in report.warnings)


def test_seconds_until_a_perplexity(sweep: Path) -> None:
    adam = {"optimizer___target_": "torch.optim.adam"}
    write_run(sweep, "adam-0", record(400.0, overrides=["optimizer=adam", "seed=0"]), (7.0, 6.0, 5.0), **adam)
    write_run(
        sweep,
        "adam-1",
        record(400.0, seed=1, overrides=["optimizer=adam", "seed=1"]),
        (7.0, 6.9, 6.0),
        **adam,
    )
    data = collect([sweep])
    [of_tang] = comparable_sets(data.runs)
    table = seconds_to_reach(of_tang, data.epochs, [math.exp(6.0) + 1, math.exp(5.0) + 1, 1.0])
    assert table["seconds"].tolist() == [3.0, math.inf, math.inf]  # a miss takes infinitely long
    assert table["reached"].tolist() == [2, 1, 0]
    assert table["runs"].tolist() == [2, 2, 2]
    assert perplexity_thresholds(rank_groups(of_tang)) == [
        (600.0, "1.5 × the best"),
        (565.0, "unigram baseline"),
        (553.0, "bigram baseline"),
        (440.0, "1.1 × the best"),
    ]
    easier = of_tang._replace(runs=of_tang.runs.assign(unigram=399.0, bigram=440.0))
    assert perplexity_thresholds(rank_groups(easier)) == [
        (600.0, "1.5 × the best"),
        (440.0, "bigram baseline, 1.1 × the best"),
    ]
    [table] = ranking_section(data, rank_groups(of_tang)).blocks
    assert isinstance(table, Table)
    heading = "seconds to reach perplexity 565 (unigram baseline)"
    assert table.columns.count(heading) == 1 and heading in table.optional
