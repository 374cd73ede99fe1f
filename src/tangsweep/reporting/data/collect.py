"""Read the folders of one or several sweeps into tables, which docs/report.md describes.

Nothing on disk is changed.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tangsweep.baselines import BASELINES, KNOWN_BASELINES
from tangsweep.printable import printable_line
from tangsweep.reporting.data.comparability import without_paused
from tangsweep.reporting.data.compared_values import compared_values
from tangsweep.reporting.data.groups import group_names
from tangsweep.reporting.data.run_files import (
    EPOCH_COLUMNS,
    ConfigValue,
    FlatConfig,
    RunFileReader,
    SweepCommand,
    UnreadableFile,
)
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import (
    CorpusFacts,
    GitState,
    LastScores,
    PrimaryMetric,
    Quality,
    QualityFigures,
    Record,
    Scores,
    WandbRun,
)
from tangsweep.runs.state import State, run_state

TableValue = str | float | None  # bool and int are floats to a type checker
DEV_SCORES = (
    "loss", "bits_per_character", "accuracy", "perplexity_padded", "perplexity_mean_over_sentences",
    "perplexity_oov_charged", "nats_per_sequence",
)  # fmt: skip
KNOWN_SCORES = ("known_loss", "known_perplexity", "oov_loss")
TEST_SCORES = ("loss", "bits_per_character", "accuracy", *KNOWN_SCORES)
QUALITY_FIGURES = ("rhyme", "tones", "distinct_1", "distinct_2", "distinct_3", "longest_copy", "copied_line")


class SweepData(NamedTuple):
    """Everything that was read from the folders of sweeps.

    `runs` has one row per run, `epochs` one per run and evaluated epoch; epoch 0 is the untrained model.
    """

    runs: pd.DataFrame
    epochs: pd.DataFrame
    folders: dict[str, RunFolder]  # by run, as are the next four
    configs: dict[str, FlatConfig]
    records: dict[str, Record]
    poems: dict[str, str]  # text of poems.txt
    values: dict[str, str]  # what a run stands for in the comparison, such as its optimizer
    commands: list[SweepCommand]
    unreadable: list[UnreadableFile]


def collect(folders: Sequence[Path]) -> SweepData:
    """Read every run in the folders of sweeps; a subfolder that is no run is ignored."""
    reader = RunFileReader()
    data = SweepData(pd.DataFrame(), pd.DataFrame(), {}, {}, {}, {}, {}, [], reader.unreadable)
    rows, epochs = [], []
    for sweep, prefix in _run_name_prefixes(folders).items():
        data.commands.extend(reader.commands(sweep))
        run_folders = _run_folders(sweep, reader)
        if not run_folders:
            reader.add_unreadable(sweep, "it holds no run")
        for folder in run_folders:
            run = printable_line(f"{prefix}/{folder.path.name}" if prefix else folder.path.name)
            data.folders[run] = folder
            rows.append(_read_run(run, sweep, folder, data, reader))
            epochs.append(reader.epochs(run, folder, data.records.get(run)))
    runs = pd.DataFrame(rows, columns=list(RUN_COLUMNS))
    groups = group_names(data.configs, data.records)
    runs["group"] = runs["run"].map(groups)
    judged = set(without_paused(runs)["run"])  # the others would each have a colour of its own
    values = compared_values(groups, data.configs, data.records)
    values = {run: value for run, value in values.items() if run in judged}
    return data._replace(runs=runs, values=values, epochs=_epochs_table(epochs, runs))


def _run_name_prefixes(folders: Sequence[Path]) -> dict[Path, str]:
    """Return each folder once, with as much of the end of its path as distinguishes it from the others."""
    unique = list(dict.fromkeys(folders))
    if len(unique) == 1:
        return {unique[0]: ""}
    depth = 1
    while len({path.parts[-depth:] for path in unique}) < len(unique):
        depth += 1
    return {path: "/".join(path.parts[-depth:]) for path in unique}


def _run_folders(sweep: Path, reader: RunFileReader) -> list[RunFolder]:
    """Return the folders with a config or a record; list others with a run's files as unreadable."""
    runs = []
    for path in sorted(sweep.iterdir()):
        folder = RunFolder(path)
        if not path.is_dir() or folder.replaced:
            continue
        try:
            if folder.config.exists() or folder.result.exists():
                runs.append(folder)
            elif folder.metrics.exists() or folder.poems.exists() or folder.log.exists():
                reader.add_unreadable(path, "a run's folder without config.yaml and result.json")
        except OSError as error:  # a folder that this user may not enter
            reader.add_unreadable(path, f"no run: {type(error).__name__}")
    return runs


def _read_run(
    run: str, sweep: Path, folder: RunFolder, data: SweepData, reader: RunFileReader
) -> dict[str, TableValue | ConfigValue]:
    """Add a run's config, record and poems to `data`; return its row of the table `runs`."""
    record = reader.record(folder)
    data.configs[run] = config = reader.config(folder, record)
    reader.is_as_recorded(folder.document_scores, record)  # whoever reads them leaves out what is not
    if poems := reader.poems(folder, record):
        data.poems[run] = poems
    sweep_name, folder_name = printable_line(sweep.name), printable_line(folder.path.name)
    where = {"run": run, "sweep": sweep_name, "folder": folder_name}
    if record is None:
        state = run_state(folder).value
        return {**where, "overrides": None, "status": state, "seed": config.get("seed"),
                "metric": config.get("corpus.primary.metric"), "mode": config.get("corpus.primary.mode"),
                "corpus": config.get("corpus.name"), "length": config.get("corpus.length")}  # fmt: skip
    data.records[run] = record
    return {**where, "overrides": " ".join(record.overrides or []), **record_row(record)}


def _epochs_table(epochs: list[pd.DataFrame], runs: pd.DataFrame) -> pd.DataFrame:
    """Return all runs' epochs with group, seed and the number of characters trained on until then."""
    names = {name: column for column, name in EPOCH_COLUMNS.items()}
    tables = [table for table in epochs if len(table)] or [pd.DataFrame(columns=["run", *names])]
    table = pd.concat(tables, ignore_index=True).rename(columns=names)
    # All runs at once: a thousand small tables take ten times as long.
    table[list(EPOCH_COLUMNS)] = table[list(EPOCH_COLUMNS)].apply(pd.to_numeric, errors="coerce")
    table = table.dropna(subset=["epoch", "step"]).drop_duplicates(["run", "epoch"], keep="last")
    table = table.join(runs.set_index("run")[["group", "seed", "train_characters"]], on="run")
    table["characters"] = table["epoch"] * table["train_characters"]
    columns = ["run", "group", "seed", *EPOCH_COLUMNS, "characters"]
    return table[columns].sort_values(["run", "epoch"], ignore_index=True)


def record_row(record: Record) -> dict[str, TableValue]:
    """Return the value of every column; None where the record has none."""
    primary = record.primary or PrimaryMetric()
    return {
        "status": record.status,
        "seed": record.seed,
        "metric": primary.metric,
        "mode": primary.mode,
        "error": record.error,
        "config_hash": record.config_hash,
        "ended": record.ended,
        "solved_step": record.solved_step,
        "diverged_step": record.diverged_step,
        "last_finite_loss": record.last_finite_loss,
        "best_epoch": record.best_epoch,
        "epochs": record.epochs,
        "steps": record.steps,
        "seconds": record.seconds,
        "characters_per_second": record.chars_per_second,
        "parameters": record.parameters,
        **_score_columns(record),
        **_corpus_columns(record.corpus or CorpusFacts()),
        **_provenance_columns(record),
        **_quality_columns(record.quality or Quality()),
    }


def _score_columns(record: Record) -> dict[str, TableValue]:
    dev, test, train = (scores or Scores() for scores in (record.dev, record.test, record.train))
    last = record.last or LastScores()
    failed, baselines = record.status == State.FAILED, record.baselines or {}
    return {
        "dev_perplexity": _perplexity(record.dev, failed),
        **{f"dev_{name}": dev.value(name) for name in (*DEV_SCORES, *KNOWN_SCORES)},
        "test_perplexity": _perplexity(record.test, failed),
        **{f"test_{name}": test.value(name) for name in TEST_SCORES},
        "train_perplexity": _perplexity(record.train, failed),
        "train_loss": train.loss,
        "train_accuracy": train.accuracy,
        "last_dev_perplexity": _perplexity(last.dev, failed),
        "last_dev_known_perplexity": last.dev.known_perplexity if last.dev else None,
        "last_dev_accuracy": last.dev.accuracy if last.dev else None,
        "last_train_perplexity": _perplexity(last.train, failed),
        **{name: baselines.get(name) for name in (*BASELINES, *KNOWN_BASELINES)},
    }


def _perplexity(scores: Scores | None, failed: bool) -> float | None:
    """Return infinity where scores exist without a perplexity: JSON cannot hold an infinite one."""
    if scores is None or failed or not scores.model_fields_set:
        return scores.perplexity if scores else None
    return math.inf if scores.perplexity is None else scores.perplexity


def _corpus_columns(corpus: CorpusFacts) -> dict[str, TableValue]:
    return {
        "corpus": corpus.name,
        "corpus_fingerprint": corpus.fingerprint,
        "verified": corpus.verified,
        "train_characters": corpus.characters.train if corpus.characters else None,
        "dev_characters": corpus.characters.dev if corpus.characters else None,
        "test_characters": corpus.characters.test if corpus.characters else None,
        "length": corpus.length,
        "vocabulary": corpus.vocabulary,
        "vocabulary_fingerprint": corpus.vocabulary_fingerprint,
        "dev_fingerprint": corpus.dev_fingerprint,
        "test_fingerprint": corpus.test_fingerprint,
        "split_fingerprint": corpus.split_fingerprint,
    }


def _provenance_columns(record: Record) -> dict[str, TableValue]:
    git, wandb, versions = record.git or GitState(), record.wandb or WandbRun(), record.versions or {}
    return {
        "commit": git.commit,
        "dirty": git.dirty,
        "python": versions.get("python"),
        "torch": versions.get("torch"),
        "machine": record.machine,
        "finished": record.finished,
        "threads": record.threads,
        "kernel": record.kernel,
        "gemm": record.gemm,
        "wandb_id": wandb.id,
        "wandb_path": wandb.path,
    }


def _quality_columns(quality: Quality) -> dict[str, TableValue]:
    columns: dict[str, TableValue] = {"right_lines": quality.right_lines, "prosody": quality.prosody}
    for kind, figures in (("free", quality.free), ("constrained", quality.constrained)):
        values = (figures or QualityFigures()).model_dump()
        columns |= {f"{kind}_{name}": values[name] for name in QUALITY_FIGURES}
    return columns


RUN_COLUMNS = ("run", "sweep", "folder", "group", "overrides", *record_row(Record.model_construct(status="")))
