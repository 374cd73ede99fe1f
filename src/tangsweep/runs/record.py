"""result.json: the typed record of a run, written once when the run ends."""

import copy
import json
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tangsweep.files import atomic_write
from tangsweep.metrics import METRICS, Metric
from tangsweep.runs.folder import RunFolder

SCHEMA_VERSION = 2  # records without a version are of version 1, whose fields are the same
UNBOUNDED = ("perplexity", "perplexity_padded", "perplexity_mean_over_sentences", "perplexity_oov_charged")


class RecordPart(BaseModel):
    """Base class of the record and its parts: strict types, unknown fields kept."""

    model_config = ConfigDict(strict=True, extra="allow", protected_namespaces=())


class Scores(RecordPart):
    """Scores of one text; `tangsweep.metrics.scores` and docs/perplexity.md define them."""

    nats: float | None = None
    characters: int | None = None  # scored positions
    loss: float | None = None  # nats per character
    perplexity: float | None = None
    bits_per_character: float | None = None
    accuracy: float | None = None
    perplexity_mean_over_sentences: float | None = None
    nats_per_sequence: float | None = None
    perplexity_oov_charged: float | None = None
    perplexity_padded: float | None = None

    def value(self, metric: str) -> float | None:
        """Return the score that ranks runs by `metric`."""
        value: float | None = getattr(self, metric)
        return value


class LastScores(RecordPart):
    """Scores at the end of training, with the last weights."""

    train: Scores | None = None
    dev: Scores | None = None
    train_windows: Scores | None = None  # of a book, in windows of data.seq_len from zero state


class Counts(RecordPart):
    """A count for each side of the split; None where it is not known, as for a stream without end."""

    train: int | None = None
    dev: int | None = None


class OovFacts(RecordPart):
    """How many scored characters are <oov>, their share, and how many characters they stand for."""

    positions: int = 0
    rate: float = 0.0
    unseen_types: int = 0


class CorpusFacts(RecordPart):
    """What a run trained and was scored on."""

    name: str | None = None
    fingerprint: str | None = None
    verified: bool | None = None
    poems: dict[str, int] | None = None  # read, empty, duplicate, short, train, dev
    sequences: Counts | None = None
    characters: Counts | None = None  # scored
    vocabulary: int | None = None
    oov: dict[str, OovFacts] | None = None  # by side of the split
    length: int | float | None = None  # of palindromes
    distinct: str | None = None  # how many palindromes of this length there are
    dev_overlaps_training: bool | None = None
    vocabulary_fingerprint: str | None = None
    dev_fingerprint: str | None = None
    split_fingerprint: str | None = None


class PrimaryMetric(RecordPart):
    """The development score that picked the best epoch and ranks runs."""

    metric: str | None = None
    mode: str | None = None
    solved: float | None = None
    hopeless: float | None = None


class GitState(RecordPart):
    """The commit of the code; `dirty`: tracked files differed from it."""

    commit: str | None = None
    dirty: bool | None = None


class WandbRun(RecordPart):
    """Where W&B has the run: its id, and entity/project/id."""

    id: str | None = None
    path: str | None = None


class QualityFigures(RecordPart):
    """Figures on a hundred composed poems; docs/poems.md defines them."""

    rhyme: float | None = None
    tones: float | None = None
    rhyme_shuffled: float | None = None
    tones_shuffled: float | None = None
    distinct_1: float | None = None
    distinct_2: float | None = None
    distinct_3: float | None = None
    longest_copy: int | float | None = None
    copied_line: float | None = None


class Quality(RecordPart):
    """What was measured of a run's poems: with only the form asked for, and with tones and rhymes too."""

    poems: int | None = None
    temperature: float | None = None
    prosody: str | None = None  # learned or modern
    right_lines: float | None = None
    free: QualityFigures | None = None
    constrained: QualityFigures | None = None
    not_free: str | None = None  # why there are no such figures
    not_constrained: str | None = None


class PublishedFigure(RecordPart):
    """A published figure and ours of the same name."""

    published: int | float | None = None
    ours: int | float | None = None


class Record(RecordPart):
    """All that is known of a run that ended. Only `status` is always there."""

    schema_version: int = Field(1, alias="schema")
    status: str
    run_id: str | None = None
    config_hash: str | None = None
    overrides: list[str] | None = None
    seed: int | None = None
    primary: PrimaryMetric | None = None
    baselines: dict[str, float | None] | None = None  # perplexities that need no training
    corpus: CorpusFacts | None = None
    git: GitState | None = None
    versions: dict[str, str] | None = None
    machine: str | None = None
    threads: int | None = None
    kernel: str | None = None
    gemm: str | None = None
    extended_from: str | None = None
    wandb: WandbRun | None = None
    error: str | None = None
    ended: str | None = None  # budget, patience, solved, hopeless or diverged
    solved_step: int | None = None
    seconds: float | None = None  # of training, over all attempts
    chars_per_second: float | None = None
    diverged_step: int | None = None
    last_finite_loss: float | None = None
    parameters: int | None = None
    epochs: int | None = None
    steps: int | None = None
    best_epoch: int | None = None
    train: Scores | None = None
    dev: Scores | None = None
    train_windows: Scores | None = None
    last: LastScores | None = None
    quality: Quality | None = None
    published: dict[str, PublishedFigure] | None = None
    finished: str | None = None

    @property
    def metric(self) -> Metric:
        """The metric that ranks this run."""
        return METRICS[(self.primary.metric if self.primary else None) or "perplexity"]


class Outcome(NamedTuple):
    """What came of a run in this command."""

    run_id: str
    status: str  # a state of runs/state.py, or `planned`
    record: Record | None = None
    skipped: bool = False  # the record was there already
    holder: str = ""  # which process trains the run now


def write_record(folder: RunFolder, record: Record) -> None:
    """Write result.json, whole or not at all; NaN and infinity become null."""
    values = record.model_dump(by_alias=True, exclude_unset=True)
    text = json.dumps(_without_infinities(values), indent=2, ensure_ascii=False, allow_nan=False)
    atomic_write(folder.result, text + "\n")


def read_record(folder: RunFolder) -> Record | None:
    """Return the record, without fields of the wrong type; None where there is none or it is no record."""
    try:
        return parse_record(json.loads(folder.result.read_text(encoding="utf-8")))[0]
    except (OSError, ValueError, RecursionError):
        return None


def parse_record(values: object) -> tuple[Record, list[str]]:
    """Return a record and the names of fields that were left out because their value is of the wrong type.

    Raises ValueError where `values` is no record: no mapping, or without a status.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("status"), str):
        raise ValueError("no record")
    remaining: dict[str, Any] = copy.deepcopy(dict(values))
    wrong: list[str] = []
    for path in _numbers_out_of_range(remaining):
        _clear(remaining, path)
        wrong.append(".".join(path))
    while True:
        try:
            return Record.model_validate(remaining), sorted(wrong)
        except ValidationError as error:
            for path in {_path(detail["loc"]) for detail in error.errors(include_url=False)}:
                _clear(remaining, path)
                wrong.append(".".join(path))


def _path(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The names up to the first list: a list with one wrong item is left out whole."""
    names: list[str] = []
    for part in location:
        if isinstance(part, int):
            break
        names.append(part)
    return tuple(names)


def _clear(values: dict[str, Any], path: tuple[str, ...]) -> None:
    for name in path[:-1]:
        values = values[name]
    values.pop(path[-1], None)


def _numbers_out_of_range(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of NaN, and of infinite numbers that are no perplexities; JSON itself knows neither."""
    for name, value in list(values.items()):
        here = (*path, name)
        if isinstance(value, Mapping):
            yield from _numbers_out_of_range(value, here)
        elif isinstance(value, float) and not math.isfinite(value):
            if math.isnan(value) or name not in UNBOUNDED:
                yield here
        elif isinstance(value, int) and abs(value) > sys.float_info.max:
            yield here


def _without_infinities(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_infinities(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
