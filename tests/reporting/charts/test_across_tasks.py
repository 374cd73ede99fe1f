"""Several tasks in one report: tuned settings, times to a target, what is left out."""

import math
from pathlib import Path
from typing import Any

import pytest

from tangsweep.reporting.blocks import Chart, Section, Table
from tangsweep.reporting.build import rank_comparable_runs
from tangsweep.reporting.charts.across_tasks import TIME_COLUMNS, across_tasks_section
from tangsweep.reporting.data.collect import SweepData, collect
from tests.reporting.written_sweeps import CORPUS, cells, record, write_run

FAILED = {"status": "failed", "dev": None, "train": None, "last": None}
# "optimizer lr override" → losses at steps 0, 10, … of each seed
Results = dict[str, list[tuple[float, ...] | None]]


def write_task(
    sweep: Path,
    corpus: str,
    results: Results,
    key: str = "optimizer",
    first_seed: int = 0,
    confirm: tuple[int, ...] = (),
    **changes: Any,
) -> None:
    """Write a run for each setting and seed: its best loss scores it, and None is a run that failed, after it was good."""
    names = dict.fromkeys(("name", "fingerprint", "dev_fingerprint", "test_fingerprint"), corpus)
    facts = {**CORPUS, **names, "characters": {"train": 5000, "dev": 700, "test": 600}}
    for setting, by_seed in results.items():
        optimizer, rate, *more = setting.split()
        for seed, losses in enumerate(by_seed, first_seed):
            overrides = [
                f"corpus={corpus}",
                f"{key}={optimizer}",
                f"optimizer.lr={rate}",
                f"seed={seed}",
                *more,
            ]
            result = record(
                math.exp(min(losses)) if losses else None,
                seed=seed,
                overrides=overrides,
                corpus=facts,
                **(changes if losses else FAILED),
            )
            name = "-".join([corpus, *setting.split(), str(seed)])
            config: dict[str, Any] = {
                "optimizer___target_": optimizer,
                "optimizer__lr": rate,
                "init__forget_bias": len("".join(more)),  # other for other initializations
                "corpus__name": corpus,
                "confirm": {"seeds": list(confirm)},
            }
            write_run(sweep, name, result, losses or FAST, **config)


def section_of(*sweeps: Path) -> tuple[SweepData, Section | None]:
    data = collect(sweeps)
    return data, across_tasks_section(data, rank_comparable_runs(data))


def tables(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


FAST, SLOW = (7.0, 5.0, 5.0, 5.0), (7.0, 6.0, 5.5, 5.01)
BAD = (7.0, 6.9, 6.8, 6.8)


def test_times_profiles_and_probabilities(sweep: Path) -> None:
    """adam's rate 0.1 is worse than 0.2; sgd is slow in one task and in the other one of its runs fails."""
    write_task(sweep, "tang", {"adam 0.1": [BAD, BAD], "adam 0.2": [FAST, FAST], "sgd 0.1": [SLOW, SLOW]})
    write_task(sweep.with_name("other"), "book", {"adam 0.1": [FAST, SLOW], "sgd 0.1": [None, FAST]})
    _, section = section_of(sweep, sweep.with_name("other"))
    assert section is not None and section.title == "Across tasks"
    times = section.tables["across_tasks"]
    assert times.columns.tolist() == TIME_COLUMNS
    rows = times.assign(task=times["task"].str.split(",").str[0]).drop(columns="target")
    assert rows.to_numpy().tolist() == [
        ["tang", "adam", 10, 2, 2, 2],
        ["tang", "sgd", 30, 6, 2, 2],
        ["book", "adam", 20, 4, 2, 2],
        ["book", "sgd", math.inf, math.inf, 1, 2],
    ]
    # The best means: exp 5 in one task; in the other adam's, because sgd's is that of a survivor.
    targets = [1.05 * math.exp(5), 1.05 * (math.exp(5) + math.exp(5.01)) / 2]
    assert times["target"].tolist() == pytest.approx([targets[0], targets[0], targets[1], targets[1]])
    shown = tables(section)[0]
    assert cells(shown, "tuned setting") == [
        "tang adam lr=0.2", "tang sgd lr=0.1", "book adam lr=0.1", "book sgd lr=0.1"
    ]  # fmt: skip
    assert cells(shown, "steps to the target") == ["10", "30", "20", "∞"]
    assert cells(shown, "runs that reached it") == ["2 of 2", "2 of 2", "2 of 2", "1 of 2"]
    assert "1.05 times the best tuned mean development perplexity" in shown.note
    assert "accuracy" not in shown.note
    assert tables(section)[1].rows == [["adam", "1.000", "1.000"], ["sgd", "0.167", "0.167"]]
    # Of 4 pairs each: all in one task; in the other FAST draws with FAST, SLOW loses, both beat a failure.
    [pair] = tables(section)[2].rows
    assert pair[:2] == ["adam better than sgd", f"{(1 + 2.5 / 4) / 2:.2f}"]
    assert "AlgoPerf" in tables(section)[1].note and "rliable" in tables(section)[2].note
    assert len(tables(section)) == 3  # two tasks are not aggregated


def test_profile_corners(sweep: Path) -> None:
    write_task(sweep, "tang", {"adam 1": [FAST], "sgd 1": [SLOW]})
    write_task(sweep, "book", {"adam 1": [FAST], "sgd 1": [BAD]})
    _, section = section_of(sweep)
    assert section is not None
    profiles = section.tables["profiles"]
    assert profiles.columns.tolist() == ["competitor", "tau", "share", "measure"]
    rows = profiles[profiles["measure"] == "steps"].drop(columns="measure").to_numpy().tolist()
    assert rows == [
        ["adam", 1, 1], ["adam", 4, 1],
        ["sgd", 1, 0], ["sgd", pytest.approx(3), 0.5], ["sgd", 4, 0.5],
    ]  # fmt: skip
    [chart] = [block for block in section.blocks if isinstance(block, Chart)]
    assert chart.name == "performance_profiles" and "Dolan and Moré 2002" in chart.caption
    assert chart.spec["spec"]["mark"]["interpolate"] == "step-after"  # type: ignore[index,call-overload]
    assert chart.spec["spec"]["encoding"]["x"]["scale"]["type"] == "log"  # type: ignore[index,call-overload]


def test_the_development_set_chooses_and_the_test_set_judges(sweep: Path) -> None:
    """sgd's first rate is better on the development set and its second on the test set, where adam is worst."""
    scores = {"adam 1": (FAST, 5.2), "sgd 1": (FAST, 5.1), "sgd 2": (SLOW, 4.0)}
    for corpus in ("tang", "book"):
        for setting, (losses, test_loss) in scores.items():
            test = {"loss": test_loss, "perplexity": math.exp(test_loss)}
            write_task(sweep, corpus, {setting: [losses]}, test=test)
    data = collect([sweep])
    rankings = rank_comparable_runs(data)
    assert {ranking.comparable.score_column for ranking in rankings} == {"test_loss"}
    section = across_tasks_section(data, rankings)
    assert section is not None
    settings = cells(tables(section)[0], "tuned setting")
    assert [setting.split()[-2:] for setting in settings] == [["adam", "lr=1"], ["sgd", "lr=1"]] * 2
    assert tables(section)[2].rows == [["sgd better than adam", "1.00", "–"]]


CHOOSING: Results = {"adam 1": [FAST, FAST], "adam 2": [BAD, BAD], "sgd 1": [SLOW, SLOW]}
OTHERS: Results = {"adam 1": [SLOW, SLOW, BAD], "sgd 1": [FAST, FAST, FAST]}


def test_seeds_that_took_no_part_in_the_choice_judge_it(sweep: Path) -> None:
    """Those that chose say that adam is faster and better, the others that sgd is."""
    for corpus in ("tang", "book"):
        write_task(sweep, corpus, CHOOSING, confirm=(5, 6, 7))
        write_task(sweep, corpus, OTHERS, first_seed=5, confirm=(5, 6, 7))
    _, section = section_of(sweep)
    assert section is not None
    shown, _, probabilities = tables(section)
    assert cells(shown, "tuned setting")[0].endswith("adam lr=1")
    assert cells(shown, "steps to the target") == ["30", "10"] * 2
    assert cells(shown, "runs that reached it") == ["2 of 3", "3 of 3"] * 2
    assert "Runs with seeds that took no part in that choice count, here and below." in shown.note
    assert "flatters a competitor" not in shown.note
    assert probabilities.rows[0][:2] == ["sgd better than adam", "1.00"]
    # The target is 1.05 times the best mean of the runs that judge.
    assert section.tables["across_tasks"]["target"].tolist() == pytest.approx([1.05 * math.exp(5)] * 4)


def test_where_a_competitor_lacks_them_the_seeds_that_chose_judge(sweep: Path) -> None:
    for corpus in ("tang", "book"):
        write_task(sweep, corpus, CHOOSING, confirm=(5, 6, 7))
        write_task(sweep, corpus, {"sgd 1": OTHERS["sgd 1"]}, first_seed=5, confirm=(5, 6, 7))
    _, section = section_of(sweep)
    assert section is not None
    assert cells(tables(section)[0], "steps to the target") == ["10", "30"] * 2
    assert "The same runs chose the settings, which flatters a competitor the more" in tables(section)[0].note
    # Now one of the tasks is complete.
    write_task(sweep, "book", {"adam 1": OTHERS["adam 1"]}, first_seed=5, confirm=(5, 6, 7))
    _, section = section_of(sweep)
    assert section is not None
    by_task = dict(
        zip(cells(tables(section)[0], "task"), cells(tables(section)[0], "steps to the target"), strict=True)
    )
    assert sorted((task[:4], steps) for task, steps in by_task.items()) == [("book", "10"), ("tang", "30")]
    note = tables(section)[0].note
    assert "took no part in that choice count in book, 700 held-out" in note
    assert "elsewhere the same runs chose the settings" in note


def test_three_tasks_are_aggregated_and_a_fourth_is_named(sweep: Path) -> None:
    for corpus in ("tang", "book", "songs"):
        write_task(sweep, corpus, {"adam 1": [FAST, FAST], "sgd 1": [SLOW, SLOW]})
    write_task(sweep, "alone", {"adam 1": [FAST]})
    _, section = section_of(sweep)
    assert section is not None
    aggregate = tables(section)[3]
    assert [row[:2] for row in aggregate.rows] == [["adam", "1.000"], ["sgd", f"{math.exp(0.01):.3f}"]]
    assert isinstance(section.blocks[-1], str) and section.blocks[-1].endswith(
        "took part: alone, 700 held-out characters, vocabulary 1,366."
    )


def test_accuracies(sweep: Path) -> None:
    """The best mean accuracy is 0.9: an error of 0.1, so the target is 1 − 0.106."""
    accuracies = {"adam": (0.2, 0.89, 0.894, 0.9), "sgd": (0.2, 0.3, 0.5, 0.8)}
    for corpus in ("near", "far"):
        for optimizer, by_epoch in accuracies.items():
            dev = {"loss": 1.0, "perplexity": math.e, "accuracy": by_epoch[-1]}
            primary = {"metric": "accuracy", "mode": "max"}
            write_task(sweep, corpus, {f"{optimizer} 1": [FAST]}, dev=dev, primary=primary)
    data = collect([sweep])
    epochs = data.epochs.assign(
        dev_accuracy=[
            next(a for name, a in accuracies.items() if name in run)[int(epoch)]
            for run, epoch in zip(data.epochs["run"], data.epochs["epoch"], strict=True)
        ]
    )
    data = data._replace(epochs=epochs)
    section = across_tasks_section(data, rank_comparable_runs(data))
    assert section is not None
    times = section.tables["across_tasks"]
    assert times["target"].tolist() == pytest.approx([0.894] * 4)
    assert times["steps"].tolist() == [20, math.inf] * 2
    assert cells(tables(section)[0], "target") == ["0.8940"] * 4
    assert "the error is at most 1.05 times the best tuned mean error plus 0.001" in tables(section)[0].note


def test_what_only_one_task_varies_is_tuned(sweep: Path) -> None:
    write_task(sweep, "tang", {"adam 1": [FAST], "sgd 1": [SLOW]})
    settings: Results = {
        "adam 1 init=zeros": [SLOW],
        "adam 1 init=uniform": [FAST],
        "sgd 1 init=zeros": [FAST],
    }
    write_task(sweep, "book", settings)
    _, section = section_of(sweep)
    assert section is not None
    assert section.tables["across_tasks"]["competitor"].tolist() == ["adam", "sgd"] * 2
    assert cells(tables(section)[0], "tuned setting")[0] == "book adam uniform"


def test_words_for_nothing_are_named_with_their_key(sweep: Path) -> None:
    for corpus in ("tang", "book"):
        write_task(sweep, corpus, {"null 1": [FAST], "cosine 1": [SLOW]}, key="scheduler")
    _, section = section_of(sweep)
    assert section is not None
    assert section.tables["across_tasks"]["competitor"].tolist() == ["cosine", "scheduler=null"] * 2


def test_nothing_where_tasks_do_not_share_two_competitors(sweep: Path) -> None:
    write_task(sweep, "tang", {"adam 1": [FAST], "sgd 1": [SLOW]})
    assert section_of(sweep)[1] is None  # one task
    write_task(sweep, "book", {"adam 1": [FAST]})
    assert section_of(sweep)[1] is None
    write_task(sweep, "book", {"rmsprop 1": [FAST]})
    assert section_of(sweep)[1] is None
    write_task(sweep, "book", {"sgd 1": [FAST]})
    assert section_of(sweep)[1] is not None


def test_nothing_where_only_rates_or_the_order_differ(sweep: Path) -> None:
    for corpus in ("tang", "book"):
        write_task(sweep, corpus, {"adam 1": [FAST], "adam 2": [SLOW]})
    assert section_of(sweep)[1] is None
    for corpus in ("near", "far"):
        write_task(sweep.with_name("t"), corpus, {"1 1": [FAST], "2 1": [SLOW]}, key="order_seed")
    assert section_of(sweep.with_name("t"))[1] is None


def test_nothing_where_no_run_of_a_task_has_a_score(sweep: Path) -> None:
    write_task(sweep, "tang", {"adam 1": [FAST], "sgd 1": [SLOW]})
    write_task(sweep, "book", {"adam 1": [None], "sgd 1": [None]})
    assert section_of(sweep)[1] is None
