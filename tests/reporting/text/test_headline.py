"""The one sentence that answers a sweep's question, what it rests on, what comes next."""

import json
from pathlib import Path

import numpy as np
import pytest

from tangsweep.reporting.blocks import Answer, Report, Table
from tangsweep.reporting.build import report_on
from tangsweep.reporting.data.run_files import SweepCommand
from tangsweep.reporting.text.headline import command_with, is_better
from tests.reporting.written_sweeps import (
    CORPUS,
    cells,
    find_block,
    record,
    report_of,
    write_optimizer_runs,
    write_run,
)


def answer_of(sweep: Path) -> Answer:
    [answer] = report_of(sweep).comparisons
    return answer


def test_a_winner_is_named_with_its_distance(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0, 303.0, 299.0], "sgd": [500.0, 507.0, 503.0]})
    answer = answer_of(sweep)
    assert answer.headline.startswith(
        "adam is best: development perplexity 300.7 (95 % interval 295.5 to 305.9); "
    )
    assert "next is sgd, 67.4 % (" in answer.headline and "above it (p " in answer.headline


def test_the_headline_has_the_p_of_the_table(sweep: Path) -> None:
    scores = {"a": [300.0, 305.0, 296.0], "b": [310.0, 312.0, 304.0], "c": [330.0, 341.0, 325.0]}
    write_optimizer_runs(sweep, scores)
    report = report_of(sweep)
    p = cells(find_block(report, "Ranking", Table), "p (corrected)")[1]
    [answer] = report.comparisons
    assert p.startswith("0.0")
    assert answer.headline.endswith(f"above it (p = {p}).")
    assert f"p of the next: {p};" in report.answers[1]


def test_what_cannot_be_told_says_so_first(sweep: Path) -> None:
    write_optimizer_runs(
        sweep, {"a": [300.0, 330.0, 310.0], "b": [305.0, 315.0, 325.0], "c": [900.0, 905.0, 910.0]}
    )
    headline = answer_of(sweep).headline
    assert headline.startswith("It cannot be told which is best: a has the lowest development perplexity 31")
    assert headline.endswith("but other seeds may put b first; it is better than c.")


def test_nothing_is_told_apart(sweep: Path) -> None:
    write_optimizer_runs(
        sweep, {"a": [300.0, 330.0, 310.0], "b": [305.0, 315.0, 325.0], "c": [309.0, 318.0, 319.0]}
    )
    assert answer_of(sweep).headline.endswith("but other seeds may put another first.")


def test_one_seed_never_wins(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0], "sgd": [500.0]})
    answer = answer_of(sweep)
    assert answer.headline == (
        "It cannot be told which is best from one seed: adam has the lowest development perplexity 300.0, "
        "sgd the next (500.0)."
    )
    assert answer.next_step.startswith("add seeds")


def test_one_lucky_seed_of_another_sweep_neither_wins_nor_lets_another_win(home: Path) -> None:
    write_optimizer_runs(home / "three", {"adam": [300.0, 303.0, 299.0], "sgd": [500.0, 507.0, 503.0]})
    write_optimizer_runs(home / "one", {"rmsprop": [270.0]})
    _, report = report_on([home / "three", home / "one"])
    [answer] = report.comparisons
    assert answer.headline.startswith(
        "It cannot be told which is best: adam has development perplexity 300.7 (95 % interval 295.5 to 305.9) "
        "and is better than sgd, but rmsprop has 270.0 with other seeds."
    )
    assert answer.next_step.startswith("train rmsprop with the seeds of the others, seed=0,1,2")
    assert answer.details[0].startswith("adam comes first of those that share their seeds: ")
    assert not any("lowest" in sentence for sentence in answer.details)


def test_one_unlucky_seed_of_another_sweep_changes_nothing(home: Path) -> None:
    write_optimizer_runs(home / "three", {"adam": [300.0, 303.0, 299.0], "sgd": [500.0, 507.0, 503.0]})
    write_optimizer_runs(home / "one", {"rmsprop": [370.0]})
    _, report = report_on([home / "three", home / "one"])
    assert report.comparisons[0].headline.startswith("adam is best: ")


def test_two_sweeps_without_a_common_seed_are_not_told_apart(home: Path) -> None:
    write_optimizer_runs(home / "three", {"adam": [300.0, 303.0, 299.0]})
    write_optimizer_runs(home / "one", {"rmsprop": [370.0]})
    _, report = report_on([home / "three", home / "one"])
    headline = report.comparisons[0].headline
    assert headline.startswith("It cannot be told which is best: adam has development perplexity 300.7 (")
    assert headline.endswith("; no other group has the same seeds, or all of its runs.")


def test_a_group_alone(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0, 310.0]})
    assert answer_of(sweep).headline.startswith("default: development perplexity 305.0 (95 % interval ")


def test_names_are_not_capitalized(sweep: Path) -> None:
    write_run(sweep, "x-1", record(300.0))
    assert answer_of(sweep).headline.startswith("default: ")


def test_no_score(sweep: Path) -> None:
    write_run(sweep, "x-1", None)
    answer = answer_of(sweep)
    assert answer.headline == "No run has a score yet."
    assert answer.next_step == "give the same command again: it trains what is missing or unfinished."
    assert answer.chart is None


def test_what_it_rests_on(sweep: Path) -> None:
    corpus = {**CORPUS, "poems": {"train": 80, "dev": 20, "test": 500}, "poets": {"test": {"count": 65}}}
    for seed in range(2):
        result = record(
            300.0 + seed, seed=seed, corpus=corpus, seconds=90.0, parameters=4321, steps=1000 + seed,
            overrides=["optimizer=a"],
        )  # fmt: skip
        write_run(sweep, f"a-{seed}", result)
    assert answer_of(sweep).rests_on == (
        "This rests on 80 training poems of tang, 500 test poems by 65 poets, models of 4,321 weights, "
        "at most 1,001 steps each, seeds 0 and 1, 2 runs, 3 min of training in all."
    )


class TestCautions:
    def improving(self, sweep: Path) -> Report:
        for seed, best in enumerate((10, 10, 4)):
            result = record(
                300.0 + seed, seed=seed, best_epoch=best, ended="budget", overrides=["optimizer=adam"]
            )
            write_run(sweep, f"adam-{seed}", result)
            result = record(
                400.0 + seed, seed=seed, best_epoch=best, ended="patience", overrides=["optimizer=sgd"]
            )
            write_run(sweep, f"sgd-{seed}", result, optimizer___target_="sgd")
        return report_of(sweep)

    def test_a_group_that_still_improved(self, sweep: Path) -> None:
        """Two of three runs of adam were best at their last epoch; sgd's ended because patience did."""
        report = self.improving(sweep)
        assert (
            "Still improving at the last epoch: adam. Longer training may change the order."
            in report.warnings
        )
        assert report.comparisons[0].next_step == "train longer: adam still improved at the last epoch."

    def test_worse_than_character_frequencies(self, sweep: Path) -> None:
        write_optimizer_runs(sweep, {"adam": [300.0, 310.0], "sgd": [570.0, 575.0]})  # the unigram has 565
        assert (
            "Worse than character frequencies alone (the unigram baseline): sgd." in report_of(sweep).warnings
        )

    def test_a_published_setting_that_was_changed(self, sweep: Path) -> None:
        overrides = ["experiment=tang_500", "trainer.max_epochs=2", "optimizer.lr=1"]
        write_run(sweep, "a-1", record(300.0, overrides=overrides))
        [warning] = [w for w in report_of(sweep).warnings if "published" in w]
        assert warning.startswith("experiment=tang_500 was changed (trainer.max_epochs=2): ")

    def test_the_sample_is_named_for_the_runs_it_concerns(self, sweep: Path) -> None:
        write_run(sweep, "a-1", record(300.0, corpus={**CORPUS, "name": "sample"}))
        assert any(w.startswith("The corpus is the bundled sample") for w in report_of(sweep).warnings)
        write_run(sweep, "b-1", record(300.0, overrides=["optimizer=b"]), optimizer__lr=1)
        assert any(w.startswith("The corpus of 1 of 2 runs is the") for w in report_of(sweep).warnings)


def solved_runs(sweep: Path, steps: dict[str, list[int | None]]) -> None:
    corpus = {**CORPUS, "name": "palindromes", "length": 10}
    for cell, of_cell in steps.items():
        for seed, step in enumerate(of_cell):
            result = record(
                None, seed=seed, primary={"metric": "accuracy", "mode": "max"}, corpus=corpus,
                dev={"accuracy": 0.1 if step is None else 1.0, "loss": 1.0}, solved_step=step,
                overrides=[f"cell={cell}", f"seed={seed}"],
            )  # fmt: skip
            write_run(sweep, f"{cell}-{seed}", result, optimizer___target_=cell)


class TestAccuracies:
    def test_equals_are_not_ranked(self, sweep: Path) -> None:
        solved_runs(sweep, {"gru": [100, 200], "rnn": [200, 100]})
        assert answer_of(sweep).headline == (
            "It cannot be told which is best: gru, rnn did equally well (solved by 2 of 2 runs, on average at step 150)."
        )

    def test_three_seeds_are_too_few(self, sweep: Path) -> None:
        solved_runs(sweep, {"gru": [100, 100, 100], "rnn": [None, None, None]})
        assert answer_of(sweep).headline == (
            "It cannot be told which is best from so few runs: gru: solved by 3 of 3 runs, on average at step 100, "
            "rnn: solved by 0 of 3 runs."
        )

    def test_five_are_enough(self, sweep: Path) -> None:
        solved_runs(sweep, {"gru": [100, 120, 140, 100, 90], "rnn": [None, 800, None, None, 900]})
        assert answer_of(sweep).headline.startswith("gru is best: gru: solved by 5 of 5 runs")

    @pytest.mark.parametrize("others", [1, 3])
    def test_chance_alone_seldom_wins(self, sweep: Path, others: int) -> None:
        """Of equal groups of five seeds one is called best in fewer than 8 of 100 sweeps."""
        generator = np.random.default_rng(0)
        wins = 0
        for _ in range(400):
            steps = generator.exponential(size=(others + 1, 5)).tolist()
            groups = sorted((Steps(own) for own in steps), key=lambda group: sum(group.solved_steps))
            wins += is_better(groups[0], groups[1:])  # type: ignore[arg-type]
        assert wins / 400 < 0.08


class Steps:
    """A group of which only the steps to solve matter."""

    def __init__(self, steps: list[float]) -> None:
        self.solved_steps = steps
        self.scores: dict[int, float] = {}


def test_more_seeds_are_a_command_to_copy(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0], "sgd": [500.0]})
    arguments = ["-m", "optimizer=adam,sgd", "seed=0", "trainer.max_epochs=3"]
    line = {"arguments": arguments, "runs": 2}
    (sweep / "commands.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert answer_of(sweep).next_step == (
        "add seeds, for example `python src/train.py -m optimizer=adam,sgd trainer.max_epochs=3 "
        "seed=0,1,2,3,4`: the runs that exist are not trained again."
    )


def test_two_sweeps_have_no_one_command() -> None:
    commands = [SweepCommand("a", ["sweeps=a"], 1), SweepCommand("b", ["sweeps=b"], 1)]
    assert command_with(commands, "seed=1") == "seed=1"
    assert command_with(commands[:1], "seed=1") == "`python src/train.py sweeps=a seed=1`"
    assert command_with([SweepCommand("a", ["optimizer=sgd"], 1)], "seed=1") == "seed=1"
    assert command_with([], "seed=1") == "seed=1"
