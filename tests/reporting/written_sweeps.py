"""Write sweeps by hand, with records and metrics as runs would leave them, and look things up in reports."""

import json
import math
from pathlib import Path
from typing import Any

import yaml

from tangsweep.reporting.blocks import Report, Table
from tangsweep.reporting.build import report_on
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tests.conftest import made

CONFIG = {
    "seed": 0,
    "optimizer": {"lr": 0.01, "_target_": "torch.optim.SGD"},
    "data": {"poems": 100},
    "init": {"scheme": {"_target_": "zeros"}, "forget_bias": 0.0},
    "corpus": {"task": "poems", "name": "tang", "primary": {"metric": "perplexity", "mode": "min"}},
    "sweep": {"name": "s", "question": None},
    "trainer": {"threads": 1},
}
CORPUS = {
    "name": "tang",
    "fingerprint": "c0",
    "verified": True,
    "characters": {"train": 5000, "dev": 700},
    "vocabulary": 1366,
    "vocabulary_fingerprint": "v0",
    "dev_fingerprint": "d0",
}


def record(perplexity: float | None, **changes: Any) -> dict[str, Any]:
    """Return a record with this development perplexity."""
    loss = math.log(perplexity) if perplexity and perplexity < math.inf else None
    dev = {
        "perplexity": perplexity,
        "loss": loss,
        "bits_per_character": loss and loss / math.log(2),
        "accuracy": 0.2,
    }
    return {
        "status": "done",
        "seed": 0,
        "overrides": [],
        "primary": {"metric": "perplexity", "mode": "min"},
        "dev": dev,
        "train": {**dev, "perplexity": 90.25, "loss": 4.5},
        "last": {"train": {"perplexity": 3.0}, "dev": {"perplexity": 400.0}},
        "best_epoch": 7,
        "epochs": 10,
        "steps": 1000,
        "baselines": {"uniform": 1366.0, "unigram": 565.0, "bigram": 553.0},
        "seconds": 12.5,
        "chars_per_second": 1000.0,
        "corpus": CORPUS,
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "config_hash": "abcd0123",
        "error": None,
    } | changes


def write_run(
    sweep: Path,
    name: str,
    result: dict[str, Any] | None,
    losses: tuple[float, ...] = (7.0, 6.0, 5.0),
    **config: Any,
) -> RunFolder:
    """Write the folder of a run; `config` are `group__key=value` over CONFIG. A run without a result is unfinished."""
    folder = made(sweep / name)
    values: dict[str, Any] = json.loads(json.dumps(CONFIG))
    for key, value in config.items():
        *groups, last = key.split("__")
        place = values
        for group in groups:
            place = place[group]
        place[last] = value
    if result is not None:
        values["seed"] = result["seed"]
        folder.result.write_text(json.dumps(result), encoding="utf-8")
    folder.config.write_text(yaml.safe_dump(values), encoding="utf-8")
    metrics = MetricsFile(folder.metrics)
    for epoch, loss in enumerate(losses):
        evaluated = {
            "val/loss": loss,
            "val/perplexity": math.exp(loss),
            "val/accuracy": 0.2,
            "units/distinct": 8,
        }
        trained = {"train/epoch_loss": loss - 0.5} if epoch else {}
        metrics.append({"step": 10 * epoch, "epoch": epoch, "seconds": 2.0 * epoch, **evaluated, **trained})
        if not epoch:
            metrics.append({"step": 5, "epoch": 1, "train/loss": 6.5, "train/grad_norm": 1.5})
    metrics.close()
    return folder


def write_optimizer_runs(sweep: Path, scores: dict[str, list[float]], **config: Any) -> None:
    """Write one run for each optimizer and seed, with these development perplexities."""
    for optimizer, by_seed in scores.items():
        for seed, score in enumerate(by_seed):
            result = record(score, seed=seed, overrides=[f"optimizer={optimizer}", f"seed={seed}"])
            target = f"torch.optim.{optimizer}"
            write_run(
                sweep,
                f"optimizer-{optimizer}_seed-{seed}-{seed:08x}",
                result,
                optimizer___target_=target,
                **config,
            )


QUALITY = {
    "poems": 100,
    "temperature": 0.8,
    "prosody": "learned",
    "right_lines": 0.625,
    "free": {"rhyme": 0.07, "tones": 0.6, "rhyme_shuffled": 0.02, "tones_shuffled": 0.58, "distinct_1": 0.25,
             "distinct_2": 0.9, "distinct_3": 1.0, "longest_copy": 6, "copied_line": 0.03},
    "constrained": None,
    "not_constrained": "too few",
}  # fmt: skip


def report_of(sweep: Path) -> Report:
    return report_on([sweep])[1]


def find_block(report: Report, title: str, kind: type) -> Any:
    """Return the first block of a kind in the sections whose title begins with `title`."""
    sections = [section for section in report.sections if section.title.startswith(title)]
    return next(block for section in sections for block in section.blocks if isinstance(block, kind))


def cells(table: Table, heading: str) -> list[str]:
    return [row[table.columns.index(heading)] for row in table.rows]
