"""Twenty thousand corrupted files before the readers of report, index, demo, generate and API: no traceback.

Each is the same in every run. What fails is named by its kind and number: `pytest -m slow -k KIND`.
"""

import contextlib
import io
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
import yaml

import tangsweep
from tangsweep.checkpoint import load_model
from tangsweep.demo import poem_html, trained_runs
from tangsweep.errors import UserError
from tangsweep.generation.compose import generate_texts
from tangsweep.generation.request import GenerationRequest
from tangsweep.reporting.build import build_report, read_sweeps
from tangsweep.reporting.data.collect import record_row
from tangsweep.reporting.data.groups import group_names
from tangsweep.reporting.data.run_files import RunFileReader
from tangsweep.reporting.index_page import IndexRow, render_index
from tangsweep.reporting.render.csv_table import render_csv
from tangsweep.reporting.render.html_page import render_html
from tangsweep.reporting.render.markdown import render_markdown
from tangsweep.reporting.sweep_summary import read_summary, summarize, write_summary
from tangsweep.runs.best_setting import development_cost
from tangsweep.runs.document_scores import read_authors, read_document_sums
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.runs.record_file import read_record
from tangsweep.runs.state import state_at_rest
from tests.conftest import QUIET, SMALL, Ran
from tests.corruptions import (
    corrupt_bytes,
    corrupt_checkpoint,
    corrupt_csv,
    corrupt_json,
    corrupt_json_lines,
    corrupt_value,
)
from tests.reporting.test_scored_on_a_test_set import write_tested_run
from tests.reporting.written_sweeps import CONFIG, CORPUS, QUALITY, record, write_run

pytestmark = pytest.mark.slow

COUNTS = {
    "result.json": 5_000,
    "metrics.csv": 5_000,
    "scores.npz": 1_500,
    "config.yaml": 1_000,
    "commands.jsonl": 1_000,
    "poems.txt": 1_000,
    "report.json": 1_500,
    "checkpoint": 1_500,  # its values, with checksums that are right
    "checkpoint file": 1_000,  # its bytes
    "sweep": 1_500,  # files of the runs of whole sweeps
}
Corrupt = Callable[[bytes, Random], bytes]
Train = Callable[..., Ran]


def test_they_are_twenty_thousand() -> None:
    assert sum(COUNTS.values()) == 20_000


@contextlib.contextmanager
def at_most_one_line(kind: str, number: int) -> Iterator[None]:
    """A reader may refuse a file in one line; any other exception fails the test with the file's number."""
    try:
        yield
    except UserError as error:
        assert len(str(error).splitlines()) == 1, f"{kind} {number}: {error}"
    except Exception as error:
        raise AssertionError(f"{kind} {number}: {error!r}") from error


def corrupt_file(kind: str, path: Path, corrupt: Corrupt, read: Callable[[], object]) -> None:
    """Write each corruption of a file in its place, and read it."""
    content = path.read_bytes()
    for number in range(COUNTS[kind]):
        path.write_bytes(corrupt(content, Random(f"{kind} {number}")))
        with at_most_one_line(kind, number):
            read()


@pytest.fixture
def run(home: Path) -> RunFolder:
    """A run with everything in its record."""
    return write_full_run(home / "outputs" / "optimizers", "adam", 0, 5.7)


def write_full_run(sweep: Path, group: str, seed: int, loss: float) -> RunFolder:
    folder = write_tested_run(sweep, group, seed, loss, np.random.default_rng(seed))
    kinds = {"first": {"nats": 80.0, "characters": 16}, "last": {"nats": 90.0, "characters": 17}}
    more = {
        "quality": QUALITY,
        "breakdown": {"set": "test", "ways": {"line": kinds, "slot": kinds}},
        "cost": {"update_ms": 0.2, "step_ms": 3.0, "state_bytes": 4096},
        "published": {"dev_perplexity": {"published": 300.0, "ours": 310.0}},
        "versions": {"python": "3.11", "torch": "2.8"},
        "wandb": {"id": "abc", "path": "me/tangsweep/abc"},
        "git": {"commit": "0123456789abcdef", "dirty": True},
    }
    values = json.loads(folder.result.read_text(encoding="utf-8"))
    folder.result.write_text(json.dumps(values | more), encoding="utf-8")
    folder.poems.write_text("# 日  5\n日出。\n\n# 山  5\n(not known)\n", encoding="utf-8")
    return folder


def test_result_json(run: RunFolder) -> None:
    def read() -> None:
        read_back, summary = RunFileReader().record(run), read_record(run)
        state_at_rest(run)
        trained_runs._label("run", run)
        poem_html.quality_html(trained_runs.run_quality(run))
        development_cost(summary, 0)
        if read_back is not None:
            record_row(read_back)

    corrupt_file("result.json", run.result, corrupt_json, read)


def test_metrics_csv(run: RunFolder) -> None:
    values = read_record(run)

    def read() -> None:
        RunFileReader().epochs("run", run, values)
        MetricsFile(run.metrics).rows()

    corrupt_file("metrics.csv", run.metrics, corrupt_csv, read)


def test_scores_npz(run: RunFolder) -> None:
    def read() -> None:
        sums = read_document_sums(run, "test")
        read_authors(run, "test")
        assert sums is None or len({len(values) for values in sums}) == 1

    corrupt_file("scores.npz", run.document_scores, corrupt_arrays, read)


def corrupt_arrays(content: bytes, random: Random) -> bytes:
    """Replace an array of an archive by another, or corrupt the archive's bytes."""
    if random.random() < 0.5:
        return corrupt_bytes(content, random)
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    name = random.choice(list(arrays))
    odd = [
        arrays[name][:3],
        arrays[name][None],
        np.array("x"),
        np.array([np.nan] * 3),
        arrays[name].astype(str),
    ]
    odd += [
        -arrays["test/nats"],
        np.zeros(240, bool),
        np.zeros(240, complex),
        np.zeros((240, 2)),
        np.zeros(0),
    ]
    arrays[name] = random.choice(odd)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def corrupt_yaml(content: bytes, random: Random) -> bytes:
    """Corrupt values of a YAML file, or its bytes."""
    if random.random() < 0.3:
        return corrupt_bytes(content, random)
    value = corrupt_value(yaml.safe_load(content), random)
    return yaml.safe_dump(value, allow_unicode=random.random() < 0.5).encode("utf-8", "surrogatepass")


def test_config_yaml(run: RunFolder) -> None:
    best = run.best
    best.touch()
    content = yaml.safe_dump({key: CONFIG[key] for key in ("seed", "corpus", "optimizer")})
    run.config.write_text(content, encoding="utf-8")

    def read() -> None:
        group_names({"run": RunFileReader().config(run)}, {})
        trained_runs._is_offered(run)

    corrupt_file("config.yaml", run.config, corrupt_yaml, read)


def test_files_of_a_sweep(run: RunFolder) -> None:
    sweep = run.path.parent
    commands = sweep / "commands.jsonl"
    line = {
        "time": "2026",
        "arguments": ["-m", "optimizer=adam"],
        "git": {"commit": None},
        "runs": 3,
        "trained": 2,
    }
    commands.write_text(f"{json.dumps(line)}\n" * 3, encoding="utf-8")
    corrupt_file("commands.jsonl", commands, corrupt_json_lines, lambda: RunFileReader().commands(sweep))
    corrupt_file("poems.txt", run.poems, corrupt_bytes, lambda: RunFileReader().poems(run))
    data = read_sweeps([sweep])
    write_summary(sweep, summarize(sweep, data, build_report(data, "s")))
    corrupt_file(
        "report.json",
        sweep / "report.json",
        corrupt_json,
        lambda: render_index([IndexRow(sweep, read_summary(sweep))]),
    )


def read_model(path: Path) -> None:
    """Do with a checkpoint what generate, demo and API do, where it can be loaded."""
    trained = load_model(path)
    generate_texts(trained, GenerationRequest(chars=1, lines=2, temperature=1.0))
    generate_texts(trained, GenerationRequest(start="山", length=2))
    tangsweep.perplexity(trained, "山水")


def test_altered_checkpoints(train: Train, tmp_path: Path) -> None:
    path = tmp_path / "altered.ckpt"
    sound = torch.load(train(base=(*SMALL, *QUIET)).folder.best, weights_only=True)
    for number in range(COUNTS["checkpoint"]):
        torch.save(corrupt_checkpoint(sound, Random(f"checkpoint {number}")), path)
        with at_most_one_line("checkpoint", number):
            read_model(path)


def test_the_bytes_of_checkpoints(train: Train, tmp_path: Path) -> None:
    path = Path(shutil.copy(train(base=(*SMALL, *QUIET)).folder.best, tmp_path / "damaged.ckpt"))
    corrupt_file("checkpoint file", path, corrupt_bytes, lambda: read_model(path))


FILES: dict[str, Corrupt] = {
    "result.json": corrupt_json,
    "metrics.csv": corrupt_csv,
    "config.yaml": corrupt_yaml,
    "scores.npz": corrupt_arrays,
    "poems.txt": corrupt_bytes,
}
SOUND = ("sound-0", "sound-1")
AT_ONCE = 60  # corrupted files of a sweep
REPORTS = 0.16  # of the sweeps are read for a report, which takes longer, the others for tables


def write_full_sweep(sweep: Path) -> None:
    """Runs that fill every section of a report."""
    for group, loss in (("sgd", 5.9), ("adam", 5.7), ("rmsprop", 5.75)):
        for seed in range(3):
            write_full_run(sweep, group, seed, loss + 0.01 * seed)
    for seed, name in enumerate(SOUND):
        write_full_run(sweep, name.partition("-")[0], seed, 5.8)
    for number, rate in enumerate((0.01, 0.1, 1.0)):
        overrides = ["optimizer=sgd", f"optimizer.lr={rate}", "init=zeros"]
        scheme = {"_target_": "zeros", "number": number}
        write_run(
            sweep,
            f"lr-{number}",
            record(300.0 + rate, overrides=overrides),
            optimizer__lr=rate,
            init__scheme=scheme,
        )
        corpus = {**CORPUS, "characters": {"train": 50 * 10**number, "dev": 700}}
        sizes = record(500.0 - rate, corpus=corpus, overrides=[f"data.poems={10**number}"])
        write_run(sweep, f"poems-{number}", sizes, data__poems=10**number)
        corpus = {**CORPUS, "name": "palindromes", "length": 5 + number}
        solved = record(2.0, corpus=corpus, solved_step=100, overrides=[f"corpus.length={5 + number}"])
        solved["primary"] = {"metric": "accuracy", "mode": "max", "solved": 0.9}
        write_run(sweep, f"palindromes-{number}", solved, corpus__name="palindromes", data__poems=number + 7)
    write_run(sweep, "unfinished", None, optimizer__lr=7.0)
    failed = record(
        None, status="failed", error="ValueError()", dev=None, train=None, overrides=["optimizer=bad"]
    )
    write_run(sweep, "failed", failed, optimizer__lr=8.0)


def read_report(sweep: Path) -> None:
    """Do what the end of a sweep and `src/report.py` do, but for pictures."""
    data = read_sweeps([sweep])
    report = build_report(data, "s")
    render_html(report)
    render_markdown(report)
    for table in report.tables.values():
        render_csv(table)
    write_summary(sweep, summarize(sweep, data, report))
    render_index([IndexRow(sweep, read_summary(sweep))])
    groups = [group for ranking in report.rankings for group in ranking.groups if group.name == "sound"]
    assert [set(group.scores) for group in groups] == [{0, 1}]


def read_tables(sweep: Path) -> None:
    """Do what the API does."""
    tables = tangsweep.load_runs(sweep)
    sound = tables.runs[tables.runs["run"].isin(SOUND)]
    assert sound["status"].tolist() == ["done", "done"]
    assert len(tables.epochs[tables.epochs["run"].isin(SOUND)]) == 6


@pytest.mark.parametrize("read", [read_report, read_tables], ids=["report", "api"])
def test_whole_sweeps(home: Path, read: Callable[[Path], None]) -> None:
    """Most files of a sweep are corrupted at once, and the two runs whose files are not are shown."""
    original, sweep = home / "original", home / "outputs" / "s"
    write_full_sweep(original)
    runs = sorted(path.name for path in original.iterdir() if path.name not in SOUND)
    files = [(run, name) for run in runs for name in FILES if (original / run / name).exists()]
    share = REPORTS if read is read_report else 1 - REPORTS
    for number in range(round(share * COUNTS["sweep"] / AT_ONCE)):
        random = Random(f"sweep {number}")
        shutil.rmtree(sweep, ignore_errors=True)
        shutil.copytree(original, sweep)
        for run, name in random.sample(files, AT_ONCE):
            path = sweep / run / name
            path.write_bytes(FILES[name](path.read_bytes(), random))
        with at_most_one_line("sweep", number), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of sums of absurd numbers
            read(sweep)
