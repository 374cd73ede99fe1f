"""Initializations: loss, gradient norms and distinct units."""

from pathlib import Path

from tangsweep.reporting.blocks import Chart, Table
from tests.reporting.written_sweeps import find_block, record, report_of, write_run


def test_initializations(sweep: Path) -> None:
    for scheme in ("zeros", "uniform"):
        write_run(
            sweep,
            f"{scheme}-1",
            record(400.0, overrides=[f"init={scheme}"]),
            init__scheme={"_target_": scheme},
        )
    report = report_of(sweep)
    charts = {
        p.name
        for s in report.sections
        if s.title == "Initialization"
        for p in s.blocks
        if isinstance(p, Chart)
    }
    assert charts == {"first_epoch", "distinct_units"}
    assert sorted(find_block(report, "Initialization", Table).rows) == [
        ["uniform-1", "5", "1.5"],
        ["zeros-1", "5", "1.5"],
    ]
