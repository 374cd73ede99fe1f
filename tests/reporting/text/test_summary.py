"""The answers and warnings of a report claim no more than the seeds allow."""

from pathlib import Path
from typing import Any

from tangsweep.reporting.blocks import Table
from tests.reporting.written_sweeps import (
    CORPUS,
    cells,
    find_block,
    record,
    report_of,
    write_optimizer_runs,
    write_run,
)


def test_a_significantly_better_group_is_called_so(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"sgd": [500.0, 521.0, 510.0], "adam": [400.0, 420.0, 411.0]})
    answers = report_of(sweep).answers
    assert answers[0].startswith("adam is best: ")
    assert answers[1].startswith("Over the seeds 0, 1, 2 it is better than every other group (paired t-test")


def test_no_more_is_claimed_than_was_tested(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"a": [200.0, 151.0, 50.0], "b": [150.0, 201.5], "c": [300.0]})
    answers = report_of(sweep).answers
    assert "better than" not in " ".join(answers)
    assert answers[0].startswith("a has the lowest score")
    assert answers[1].startswith(
        "Over the seeds 0, 1 it is not significantly different from b (paired t-test"
    )
    assert answers[2:] == [
        "Not compared, because seeds are missing: c.",
        "Seeds that not every compared group has are left out: of a.",
    ]


def test_a_group_of_survivors_is_second_and_says_so(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"a": [100.0, 101.0], "b": [200.0, 201.0, 202.0]})
    lost = record(None, seed=2, overrides=["optimizer=a", "seed=2"], status="diverged", dev=None, train=None)
    write_run(sweep, "a-2", lost, optimizer___target_="torch.optim.a")
    answers = report_of(sweep).answers
    assert answers[0].startswith("b has the lowest score: ")
    assert answers[0].endswith(
        "Next is a: development perplexity 100.5 (95 % interval 94.3 to 107.1; 2 seeds; of 3 runs 1 diverged)."
    )


def test_the_question_of_a_sweep_file(sweep: Path) -> None:
    write_run(sweep, "a-1", record(400.0), sweep__question="Which is best?")
    assert report_of(sweep).question == "Which is best?"


def test_several_commits_and_uncommitted_changes_are_warned_of(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"sgd": [500.0]})
    write_run(
        sweep, "b-1", record(400.0, git={"commit": "fedcba9876543210", "dirty": True}), optimizer__lr=0.1
    )
    warnings = " ".join(report_of(sweep).warnings)
    assert "2 commits (01234567, fedcba98)" in warnings or "2 commits (fedcba98, 01234567)" in warnings
    assert "1 was made with uncommitted changes" in warnings


def test_survivors_are_counted_and_failures_named(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [400.0, 410.0]})
    broken = record(None, seed=2, overrides=["optimizer=adam", "seed=2"], status="failed", error="it broke",
                    dev=None, train=None, last=None, best_epoch=None)  # fmt: skip
    write_run(sweep, "optimizer-adam_seed-2-2", broken, optimizer___target_="torch.optim.adam")
    lost = record(None, seed=3, overrides=["optimizer=adam", "seed=3"], status="diverged", dev=None, train=None,
                  last=None, best_epoch=None, diverged_step=9)  # fmt: skip
    write_run(sweep, "optimizer-adam_seed-3-3", lost, optimizer___target_="torch.optim.adam")
    write_run(sweep, "optimizer-adam_seed-4-4", None, seed=4, optimizer___target_="torch.optim.adam")
    report = report_of(sweep)
    ranking = find_block(report, "Ranking", Table)
    assert cells(ranking, "seeds with a score") == ["2 of 5"]
    assert set(cells(ranking, "diverged, failed or unfinished")[0].split(", ")) == {
        "1 failed",
        "1 diverged",
        "1 crashed",
    }
    assert "1 of 5 runs failed." in report.warnings
    assert "1 of 5 runs diverged." in report.warnings
    assert any("have not ended (1 crashed)" in warning for warning in report.warnings)
    provenance = [
        p for s in report.sections if s.title == "Provenance" for p in s.blocks if isinstance(p, Table)
    ]
    assert ["optimizer-adam_seed-2-2", "it broke"] in provenance[1].rows


class TestWarnings:
    def test_runs_that_a_command_started_and_that_are_missing(self, sweep: Path) -> None:
        write_optimizer_runs(sweep, {"sgd": [500.0, 501.0], "adam": [400.0, 401.0]})
        (sweep / "commands.jsonl").write_text('{"arguments": [], "runs": 2}\n{"arguments": [], "runs": 6}\n')
        assert "2 of the 6 runs that a command started in s are missing." in report_of(sweep).warnings

    def test_one_seed_of_some_groups(self, sweep: Path) -> None:
        write_optimizer_runs(sweep, {"sgd": [500.0, 501.0], "adam": [400.0]})
        assert (
            "Groups with only one seed, whose differences may be chance: adam." in report_of(sweep).warnings
        )


class TestAccuracies:
    def solving(self, sweep: Path, name: str, *seeds: tuple[float, int | None], **config: Any) -> None:
        primary = {"primary": {"metric": "accuracy", "mode": "max"}}
        for seed, (accuracy, step) in enumerate(seeds):
            result = record(2.0, seed=seed, overrides=[f"cell={name}"], solved_step=step, **primary)
            result["dev"]["accuracy"] = accuracy
            result["corpus"] = {**CORPUS, "name": "palindromes", "length": 10}
            write_run(sweep, f"{name}-{seed}", result, corpus__primary=primary["primary"], optimizer__lr=name)

    def test_who_solves_more_often_then_sooner_is_first(self, sweep: Path) -> None:
        self.solving(sweep, "often", (1.0, 900), (1.0, 700))
        self.solving(sweep, "soon", (1.0, 100), (1.0, 200))
        self.solving(sweep, "once", (1.0, 50), (0.999, None))
        report = report_of(sweep)
        ranking = find_block(report, "Ranking", Table)
        assert cells(ranking, "group") == ["soon", "often", "once"]
        assert cells(ranking, "steps to solve") == ["150", "800", "50.00 (1 of 2)"]
        rows = report.tables["ranking"]
        assert rows["solved"].tolist() == [2, 2, 1] and rows["could_solve"].tolist() == [2, 2, 2]
        assert rows["low"].tolist() == [1.0, 1.0, 0.999]  # least and largest, no interval
        assert "Too few seeds" not in report.answers[1]
        assert rows["p_corrected"].isna().all() and set(cells(ranking, "p (corrected)")) == {
            "–"
        }  # all or nothing is not tested

    def test_seeds_that_reach_above_others(self, sweep: Path) -> None:
        self.solving(sweep, "high", (0.7, None), (0.6, None))
        self.solving(sweep, "low", (0.5, None), (0.4, None))
        self.solving(sweep, "wide", (0.65, None), (0.1, None))
        assert report_of(sweep).answers[1] == (
            "Its worst seed is better than every seed of low, but not better than the best seed of wide "
            "(no t-test: accuracies are often all or nothing)."
        )


def test_the_question_names_what_is_compared_and_what_is_tuned(sweep: Path) -> None:
    for optimizer in ("adam", "sgd"):
        for rate in (0.1, 0.2):
            overrides = [f"optimizer={optimizer}", f"optimizer.lr={rate}"]
            write_run(
                sweep, f"{optimizer}-{rate}", record(300.0, overrides=overrides),
                optimizer__lr=rate, optimizer___target_=f"torch.optim.{optimizer}",
            )  # fmt: skip
    assert report_of(sweep).question == "Which optimizer is best, each at its best optimizer.lr?"


def test_numbers_have_no_best_one(sweep: Path) -> None:
    for poems in (100, 200):
        write_run(sweep, f"a-{poems}", record(300.0, overrides=[f"data.poems={poems}"]), data__poems=poems)
    assert report_of(sweep).question == "What does data.poems change?"


def test_what_may_turn_the_answer_round_stands_before_how_to_repeat_it(sweep: Path) -> None:
    git = {"commit": "0123456789abcdef", "dirty": True}
    for optimizer in ("adam", "sgd"):
        result = record(900.0, overrides=[f"optimizer={optimizer}"], git=git)
        write_run(sweep, optimizer, result, optimizer___target_=f"torch.optim.{optimizer}")
    assert [warning.split()[0] for warning in report_of(sweep).warnings[-2:]] == ["Worse", "Of"]
    assert (
        report_of(sweep).warnings[-1]
        == "Of 2 runs 2 were made with uncommitted changes: their commit may not repeat them."
    )
