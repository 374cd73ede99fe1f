"""Checks and prepares a run: finds and encodes its corpus, identifies it, and names its folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tangsweep.batches.encoded_text import EncodedCorpus
from tangsweep.config import identity
from tangsweep.config.run_config import AnyConfig
from tangsweep.console import print_line, warn_of_bundled_sample
from tangsweep.corpora import pretrained_embeddings
from tangsweep.errors import UserError
from tangsweep.files import absolute_path, outputs_folder
from tangsweep.runs.checksums import is_changed
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Record
from tangsweep.tasks.registry import task_of
from tangsweep.tasks.task import AnyTask, Corpus
from tangsweep.training.memory import check_memory

MAX_DESCRIBED = 7  # corpora of a sweep that are described
# Added by the sweeper, or of this command alone.
SWEEPER_OVERRIDES = ("sweep.stands_in=", "sweep.varied=", "data.test_after=", "pause_at=", "rerun=paused")


class PreparedRun(NamedTuple):
    """A run that can start."""

    config: AnyConfig
    overrides: list[str]  # as the user wrote them
    task: AnyTask
    corpus: Corpus
    encoded: EncodedCorpus
    config_hash: str
    folder: Path  # outputs/<sweep>/<run>

    @property
    def name(self) -> str:
        return self.folder.name


def check_resources(config: AnyConfig, trains_here: bool = True) -> None:
    """Raise UserError where a file that the config needs is not there, or, if the run is trained on this
    machine, a GPU or memory.
    """
    if trains_here:
        check_memory(config)
    if config.trainer.accelerator == "gpu" and trains_here:
        import torch  # seconds, and only where a GPU is asked for

        if not torch.cuda.is_available():
            raise UserError("trainer=gpu, but torch finds no GPU here: use trainer=cpu")
    if config.model.pretrained_embeddings is not None:
        path = absolute_path(config.model.pretrained_embeddings)
        pretrained_embeddings.check_embedding_file(path, config.model.embed_size)
        if config.corpus.task == "poems":
            last = config.data.later_poems.stop or config.data.poems_to_read
            pretrained_embeddings.check_vector_source(path, config.corpus.name, last)


def check_before_training(configs: Sequence[AnyConfig]) -> None:
    """Raise UserError for an optimizer, schedule, kernel or W&B account that cannot be had.

    Nothing is trained, but torch and the C compiler are needed: seconds.
    """
    from tangsweep.training.mirror_settings import check_mirror, mirror_settings
    from tangsweep.training.optimizer_factories import optimizer_factories

    distinct = {repr([c.plain["optimizer"], c.plain["scheduler"], c.cell.name]): c for c in configs}
    for config in distinct.values():
        optimizer_factories(config)
    _check_kernels(configs)
    for settings in {repr(s): s for config in configs for s in mirror_settings(config)}.values():
        check_mirror(settings)


def _check_kernels(configs: Sequence[AnyConfig]) -> None:
    """Compile the native kernels where that has not been done, and say so where it cannot be."""
    from tangsweep.kernels import native

    kernels = {config.cell.kernel_name for config in configs if config.trainer.accelerator == "cpu"}
    if kernels <= {"torch"} or not (reason := native.why_unavailable()):
        return
    if "native" in kernels:
        raise UserError(f"cell.kernel=native: {reason}; install a C compiler, or use cell.kernel=auto")
    print_line(f"no native kernels: {reason}; PyTorch computes, which is slower")


def prepare(config: AnyConfig, overrides: Sequence[str], corpus: Corpus | None = None) -> PreparedRun:
    """Find the corpus, encode it (or find it encoded), and identify the run. Raises UserError.

    `corpus` is what a sweep found for this run already.
    """
    task = task_of(config.plain)
    if corpus is None:
        [corpus] = task.find_corpora([config])
    # The bundled sample may stand in, a book be named by its file: the config says what was read.
    config = config.with_value("corpus", "name", corpus.name)
    digest = identity.config_hash(config.plain, corpus.fingerprint)
    written = [override for override in overrides if not override.startswith(SWEEPER_OVERRIDES)]
    varied = config.sweep.varied or identity.slug(written)
    folder = _run_folder(outputs_folder() / (config.sweep.name or "single"), varied, digest)
    encoded = task.encode(corpus, config)
    check_memory(config, encoded.inputs, len(encoded.tokens))
    return PreparedRun(config, written, task, corpus, encoded, digest, folder)


def _run_folder(sweep: Path, varied: str, digest: str) -> Path:
    """The folder that the run of this hash has already, whatever it was called; else a new name."""
    existing = [path for path in sorted(sweep.glob(f"*-{digest}")) if path.is_dir()]
    return existing[0] if existing else sweep / f"{varied}-{digest}"


def lacks_scores(run: PreparedRun, record: Record | None) -> bool:
    """Return whether the record of a run on text lacks scores that its best checkpoint can give.

    They are those of the test set that its config names, of known characters, and of each document.
    """
    folder, facts = RunFolder(run.folder), run.encoded.facts
    if record is None or record.dev is None or not facts.oov or not folder.best.exists():
        return False
    scored_on = record.corpus.test_fingerprint if record.corpus and record.test else None
    return (
        scored_on != facts.test_fingerprint
        or record.dev.known_nats is None
        or record.breakdown is None
        or not folder.document_scores.exists()
        or is_changed(folder.document_scores, record.checksums)
    )


def print_corpora(runs: Sequence[PreparedRun]) -> None:
    """Print what the runs' corpora hold, each once, after a warning where the sample stands in."""
    fallback = next((run.corpus.fallback for run in runs if run.corpus.fallback), None)
    if fallback:
        warn_of_bundled_sample(fallback)
    texts = list(dict.fromkeys(run.task.describe_corpus(run.corpus, run.encoded, run.config) for run in runs))
    for text in texts[:MAX_DESCRIBED]:
        print_line(text)
    if len(texts) > MAX_DESCRIBED:
        print_line(f"… and {len(texts) - MAX_DESCRIBED} more")
