"""Rankings of sweeps written by hand: order, scores, times."""

import math
from pathlib import Path

from tangsweep.reporting.analysis.ranking import perplexity_thresholds, rank_groups, seconds_to_reach
from tangsweep.reporting.blocks import Table
from tangsweep.reporting.build import report_on
from tangsweep.reporting.data.collect import collect
from tangsweep.reporting.data.comparability import comparable_sets
from tangsweep.reporting.text.ranking_table import ranking_section
from tests.reporting.written_sweeps import (
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
    assert cells(ranking, "development perplexity") == ["390 ± 24.8", "392 ± 32.3", "510 ± 24.8"]
    assert cells(ranking, "seeds with a score") == ["3 of 3"] * 3
    assert cells(ranking, "difference to the best")[0] == "–"
    assert cells(ranking, "p (corrected)")[0] == "–"
    assert float(cells(ranking, "p (corrected)")[1]) > 0.05
    assert report.answers[0] == (
        "adam is best: development perplexity 390 ± 24.8 (3 seeds). Next is rmsprop: development perplexity "
        "392 ± 32.3 (3 seeds)."
    )
    assert report.answers[1] == (
        "Seed by seed it is better than sgd; not significantly different from rmsprop "
        "(paired t-tests, Holm-corrected, level 0.05)."
    )
    assert report.question == "What does optimizer change?"
    assert "Baselines on the same text: uniform 1,366, unigram 565, bigram 553" in ranking.note
    assert not report.warnings


def test_one_seed_has_no_interval(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"sgd": [500.0], "adam": [400.0]})
    report = report_of(sweep)
    assert cells(find_block(report, "Ranking", Table), "development perplexity") == ["400", "500"]
    assert report.answers[1].startswith("There are too few seeds for a significance test")
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
    assert report.answers[0].startswith("lstm is best: solved by 2 of 2 runs, accuracy 0.9995")
    assert "Accuracy of guessing: 0.00073" in ranking.note
    solved = find_block(report, "Solve rates", Table)
    assert [row[:4] for row in solved.rows] == [
        ["lstm", "20", "2 of 2", "100, 150, 200"],
        ["rnn", "20", "0 of 2", "–"],
    ]
    assert report.tables["solved"]["accuracies"].tolist() == ["0.999 1.000", "0.200 0.300"]


def test_infinity_is_shown_as_such(sweep: Path) -> None:
    write_run(sweep, "a-1", record(None, dev={"perplexity": None, "loss": None}, overrides=["optimizer=sgd"]))
    write_run(sweep, "b-1", record(400.0, overrides=["optimizer=adam"]), optimizer__lr=1)
    assert cells(find_block(report_of(sweep), "Ranking", Table), "development perplexity") == ["400", "∞"]


def test_a_seed_counts_once(home: Path) -> None:
    for name, scores in (("one", [100.0, 101.0]), ("two", [300.0, 301.0])):
        write_optimizer_runs(home / name, {"sgd": scores})
    report = report_on([home / "one", home / "two"])[1]
    assert cells(find_block(report, "Ranking", Table), "development perplexity") == ["200.5 ± 6.4"]
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
    assert table["seconds"].fillna(-1).tolist() == [3.0, 4.0, -1.0]
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
    headings = [
        block.columns
        for block in ranking_section(data, rank_groups(of_tang)).blocks
        if isinstance(block, Table)
    ]
    assert headings[2][2] == "seconds to reach perplexity 565 (unigram baseline)"
