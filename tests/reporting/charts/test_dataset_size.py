"""Dataset sizes: the power law, and runs that are left out."""

import re
from pathlib import Path

from tangsweep.reporting.blocks import Chart
from tests.reporting.written_sweeps import CORPUS, find_block, record, report_of, write_run


def test_dataset_sizes_on_one_development_set(sweep: Path) -> None:
    for poems, characters in ((100, 5_000), (1_000, 50_000), (10_000, 500_000)):
        corpus = {**CORPUS, "characters": {"train": characters, "dev": 700}, "fingerprint": str(poems)}
        result = record(2_000 * characters**-0.2, corpus=corpus, overrides=[f"data.poems={poems}"])
        write_run(sweep, f"poems-{poems}", result, data__poems=poems)
    chart = find_block(report_of(sweep), "Dataset size", Chart)
    assert re.search(
        r"perplexity ~ characters\^-0\.200 \(95 % interval -0\.200 to -0\.200, over the means of 3 sizes\)",
        chart.caption,
    )


def test_many_seeds_of_three_sizes_say_no_more_than_three_means(sweep: Path) -> None:
    """The means bend: their own interval is wide, and the caption says that they are no power law."""
    for poems, perplexity in ((100, 500.0), (1_000, 200.0), (10_000, 190.0)):
        for seed in range(5):
            corpus = {**CORPUS, "characters": {"train": 50 * poems, "dev": 700}, "fingerprint": str(poems)}
            overrides = [f"data.poems={poems}", f"seed={seed}"]
            result = record(perplexity + 0.1 * seed, corpus=corpus, seed=seed, overrides=overrides)
            write_run(sweep, f"poems-{poems}-{seed}", result, data__poems=poems)
    chart = find_block(report_of(sweep), "Dataset size", Chart)
    # By hand: the slope's standard error is √(Σ residuals² / Σ (x − x̄)²) = 0.108, times 12.7.
    assert "(95 % interval -1.587 to 1.167, over the means of 3 sizes)" in chart.caption
    assert "the means are no power law (lack of fit: p < 0.001)" in chart.caption


def test_sizes_that_the_chart_lacks_are_named(sweep: Path) -> None:
    for poems, text in ((50, "d0"), (500, "d0"), (5_000, "other")):
        corpus = {**CORPUS, "characters": {"train": 50 * poems, "dev": 700}, "dev_fingerprint": text}
        write_run(
            sweep,
            f"p-{poems}",
            record(400.0, corpus=corpus, overrides=[f"data.poems={poems}"]),
            data__poems=poems,
        )
    [shown] = [section.blocks for section in report_of(sweep).sections if section.title == "Dataset size"]
    assert shown[-1] == "Left out, because scored on another text or not at all: p-5000."
