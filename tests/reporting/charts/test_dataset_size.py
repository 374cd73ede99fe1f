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
        r"perplexity ~ characters\^-0\.200 \(95 % interval -0\.200 to -0\.200, 3 runs\)", chart.caption
    )


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
