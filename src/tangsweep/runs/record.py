"""The typed record of a run; record_file.py writes it to result.json when the run ends, and reads it."""

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tangsweep.metrics import METRICS, Metric

SCHEMA_VERSION = 2  # records without a version are of version 1, whose fields are the same


class RecordPart(BaseModel):
    """Base class of the record and its parts: strict types, unknown fields kept."""

    model_config = ConfigDict(strict=True, extra="allow", protected_namespaces=())


class Scores(RecordPart):
    """Scores of one text; `tangsweep.metrics.compute_scores` and docs/perplexity.md define them."""

    nats: float | None = None
    characters: int | None = None  # scored positions
    known_nats: float | None = None  # where the target is in the training vocabulary
    known_characters: int | None = None
    known_loss: float | None = None
    known_perplexity: float | None = None
    oov_loss: float | None = None  # nats of each <oov>
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


class NatsOfKind(RecordPart):
    """Nats and number of the scored characters of one kind."""

    nats: float = 0.0
    characters: int = 0


class Breakdown(RecordPart):
    """Where the nats of a held-out set go: for each way to divide it, the characters of each kind."""

    set: str = "test"
    ways: dict[str, dict[str, NatsOfKind]] = Field(default_factory=dict)


class OptimizerCost(RecordPart):
    """What the optimizer costs beside the gradients."""

    update_ms: float | None = None  # median time of one update of all weights
    state_bytes: int | None = None  # of its state, such as momenta
    step_ms: float | None = None  # mean time of a whole training step


class LastScores(RecordPart):
    """Scores at the end of training, with the last weights."""

    train: Scores | None = None
    dev: Scores | None = None
    train_windows: Scores | None = None  # of a book, in windows of data.seq_len from zero state


class Counts(RecordPart):
    """A count for each side of the split; None where it is not known, as for a stream without end."""

    train: int | None = None
    dev: int | None = None
    test: int | None = None


class PoetFacts(RecordPart):
    """How many poets a set has, how many of them are trained on too, and their share of its characters."""

    count: int = 0
    in_training: int = 0
    share: float = 0.0


class OovFacts(RecordPart):
    """How many scored characters are <oov>, their share, and how many characters they stand for."""

    positions: int = 0
    rate: float = 0.0
    unseen_types: int = 0


class CorpusFacts(RecordPart):
    """Sizes and fingerprints of the texts that a run trained and was scored on."""

    name: str | None = None
    fingerprint: str | None = None
    verified: bool | None = None
    # Read, empty, duplicate, short, train, dev, test; near_dev, near_test: share half of their 7-grams with
    # training.
    poems: dict[str, int] | None = None
    poets: dict[str, PoetFacts] | None = None  # by set
    sequences: Counts | None = None
    characters: Counts | None = None  # scored
    vocabulary: int | None = None
    oov: dict[str, OovFacts] | None = None  # by set
    length: int | float | None = None  # of palindromes
    distinct: str | None = None  # how many palindromes of this length there are
    dev_overlaps_training: bool | None = None
    vocabulary_fingerprint: str | None = None
    dev_fingerprint: str | None = None
    test_fingerprint: str | None = None
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


class LostMirror(RecordPart):
    """A mirror that failed while its run went on."""

    step: int | None = None  # optimizer steps of the last row that was logged
    error: str | None = None
    replayed: bool | None = None  # whether the whole history was written anew when the run ended


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
    """Quality of a run's poems: with only the form asked for, and with tones and rhymes too."""

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
    lost_mirrors: dict[str, LostMirror] | None = None  # by name: wandb, tensorboard; set where one failed
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
    test: Scores | None = None  # with the best epoch's weights, once; None: the setting has no test set
    train_windows: Scores | None = None
    breakdown: Breakdown | None = None  # of the test set, or of the development set where there is none
    cost: OptimizerCost | None = None
    last: LastScores | None = None
    quality: Quality | None = None
    published: dict[str, PublishedFigure] | None = None
    finished: str | None = None
    checksums: dict[str, str] | None = None  # by file name; checksums.py

    @property
    def metric(self) -> Metric:
        """The metric that ranks this run."""
        return METRICS[(self.primary.metric if self.primary else None) or "perplexity"]


class Outcome(NamedTuple):
    """How a run ended in this command, or why it was left alone."""

    run_id: str
    status: str  # a state of runs/state.py, or `planned`
    record: Record | None = None
    skipped: bool = False  # the record was there already
    holder: str = ""  # which process trains the run now
