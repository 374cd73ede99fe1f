"""Measure a report on many synthetic runs, each with 500 test poems: seconds, memory, size of the page.

python benchmarks/report.py [--runs 1000] [--epochs 100] [--groups 200]

The printed ratio compares reading, building and writing the report with pandas reading the same metrics.csv
files.
"""

import argparse
import json
import math
import random
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from tangsweep.reporting.build import report_on, write_report
from tangsweep.runs.document_scores import DocumentScores, DocumentSums, write_document_scores
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import COLUMNS

DOCUMENTS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--groups", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sweep = Path(name) / "many"
        for number in range(options.runs):
            _run(sweep / f"run-{number:08x}", number, options.groups, options.epochs)
        began = time.perf_counter()
        for path in sweep.glob("*/metrics.csv"):
            pd.read_csv(path)
        read = time.perf_counter() - began
        began, worked = time.perf_counter(), time.process_time()
        _, report = report_on([sweep])
        files = write_report(report, sweep)
        seconds, processor = time.perf_counter() - began, time.process_time() - worked
        page = files[0].stat().st_size / 2**20
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{options.runs} runs of {options.epochs} epochs in {options.groups} groups: {seconds:.1f} s,")
    print(f"{processor:.1f} s of the processor, which other programs on the machine do not change,")
    print(f"{seconds / read:.0f} times pandas' reading ({read:.1f} s)")
    print(f"{memory:.2f} GiB at most; page {page:.1f} MiB")


def _run(folder: Path, number: int, groups: int, epochs: int) -> None:
    draw = random.Random(number)
    folder.mkdir(parents=True)
    group, seed = number % groups, number // groups
    rate = 10 ** (-3 + 3 * group / groups)
    primary = {"metric": "perplexity", "mode": "min"}
    config = {"seed": seed, "optimizer": {"lr": rate}, "corpus": {"primary": primary}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    rows = [",".join(COLUMNS)]
    for epoch in range(epochs + 1):
        loss = 5 + 2 * math.exp(-epoch * rate) + 0.05 * draw.random()
        scores = {"val/loss": loss, "val/perplexity": math.exp(loss), "val/accuracy": 0.2}
        where = {"step": 100 * epoch, "epoch": epoch, "seconds": epoch * 0.5}
        values = where | scores | ({"train/epoch_loss": loss - 0.1} if epoch else {})
        rows.append(",".join(str(values.get(column, "")) for column in COLUMNS))
    (folder / "metrics.csv").write_text("\n".join(rows) + "\n")
    score = {"perplexity": math.exp(loss), "loss": loss, "bits_per_character": loss / math.log(2)}
    result = {
        "status": "done",
        "seed": seed,
        "overrides": [f"optimizer.lr={rate}"],
        "dev": {**score, "known_loss": loss - 0.3, "known_perplexity": math.exp(loss - 0.3)},
        "test": {**score, "known_loss": loss - 0.3, "known_perplexity": math.exp(loss - 0.3)},
        "train": score,
        "primary": primary,
        "corpus": {"name": "tang", "characters": {"train": 5000, "test": 25000}, "test_fingerprint": "t"},
        "baselines": {"uniform": 1366.0, "unigram": 565.0, "bigram": 553.0},
        "best_epoch": epochs,
    }
    (folder / "result.json").write_text(json.dumps(result))
    _write_documents(RunFolder(folder), loss - 0.3, number)


def _write_documents(folder: RunFolder, loss: float, number: int) -> None:
    """Write the nats of 500 poems, whose mean is `loss`."""
    random_of_all, own = np.random.default_rng(0), np.random.default_rng(number)
    characters = random_of_all.integers(20, 80, DOCUMENTS)
    each = loss + random_of_all.normal(0, 0.5, DOCUMENTS) + own.normal(0, 0.1, DOCUMENTS)
    nats = (each - each @ characters / characters.sum() + loss) * characters
    sums = DocumentSums(nats, characters, nats, characters)
    names = np.array([str(document) for document in range(DOCUMENTS)])
    authors = np.array([str(document % 100) for document in range(DOCUMENTS)])
    write_document_scores(folder, {"test": DocumentScores(names, authors, sums)})


if __name__ == "__main__":
    main()
