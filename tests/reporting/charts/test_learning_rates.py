"""Learning rates: means by rate, divergence, the edge of the grid."""

import json
from pathlib import Path

from tangsweep.reporting.blocks import Chart, Table
from tests.reporting.written_sweeps import find_block, record, report_of, write_run


def test_learning_rates(sweep: Path) -> None:
    scores = {0.001: [500.0, 510.0], 0.01: [400.0, 410.0], 0.1: [390.0, 400.0], 1.0: []}
    for rate, by_seed in scores.items():
        for seed, score in enumerate(by_seed or [None, None]):
            status = {} if score else {"status": "diverged", "dev": None, "train": None, "last": None}
            result = record(score, seed=seed, overrides=[f"optimizer.lr={rate}", f"seed={seed}"], **status)
            write_run(sweep, f"lr-{rate}-{seed}", result, optimizer__lr=rate)
    report = report_of(sweep)
    table = report.tables["learning_rates"]
    assert table["rate"].tolist() == [0.001, 0.01, 0.1, 1.0]
    assert table["score"].fillna(-1).round(2).tolist() == [504.98, 404.97, 394.97, -1]  # exp of mean losses
    assert table["best"].tolist() == [False, False, True, False]
    assert find_block(report, "Learning rates", Table).rows == [["all", "50%"]]
    assert not any("edge" in warning for warning in report.warnings)
    drawn = find_block(report, "Learning rates", Chart).spec
    assert any(row.get("rate") == 1.0 for rows in drawn["datasets"].values() for row in rows)
    for seed in (0, 1):
        result = record(380.0 + seed, seed=seed, overrides=["optimizer.lr=1.0", f"seed={seed}"])
        (sweep / f"lr-1.0-{seed}" / "result.json").write_text(json.dumps(result))
    assert any("edge of its grid: all (best at 1)" in warning for warning in report_of(sweep).warnings)


def test_a_rate_that_failed_has_not_diverged(sweep: Path) -> None:
    for rate, status in ((0.1, "done"), (0.2, "done"), (0.9, "failed"), (3.0, "diverged")):
        ended = {} if status == "done" else {"dev": {}, "train": None, "last": None}
        write_run(
            sweep,
            f"lr-{rate}",
            record(400.0, status=status, overrides=[f"optimizer.lr={rate}"], **ended),
            optimizer__lr=rate,
        )
    report = report_of(sweep)
    table = report.tables["learning_rates"].set_index("rate")
    assert table["diverged"].tolist() == [False, False, False, True]
    assert find_block(report, "Learning rates", Table).rows == [["all", "67%"]]
    assert any(
        "1 rates are left out, because none of their runs ended" in str(p)
        for s in report.sections
        for p in s.blocks
    )
