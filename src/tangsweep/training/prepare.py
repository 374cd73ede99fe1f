"""What must be right before a run starts, without torch: values, corpus, encoding, identity, folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tangsweep.config import checks, identity, numpy_lstm
from tangsweep.console import print_line, warn_of_bundled_sample
from tangsweep.corpora import pretrained_embeddings
from tangsweep.errors import UserError
from tangsweep.files import absolute_path, outputs_folder
from tangsweep.runs import published
from tangsweep.tasks.registry import task_of
from tangsweep.tasks.task import Config, Corpus, Encoded, Task

SHOWN = 7  # corpora of a sweep that are described
PINNED = ("sweep.stands_in=", "sweep.varied=")  # overrides that the sweeper adds; no user wrote them


class PreparedRun(NamedTuple):
    """A run that can start."""

    config: dict[str, Any]  # resolved, plain values
    overrides: list[str]  # as the user wrote them
    task: Task
    corpus: Corpus
    encoded: Encoded
    config_hash: str
    folder: Path  # outputs/<sweep>/<run>

    @property
    def name(self) -> str:
        return self.folder.name


def check(config: Config) -> None:
    """Raises UserError for the first value that makes no sense, alone or with the others."""
    checks.check(config)
    published.check(config["published"])
    task_of(config).check(config)
    if numpy_lstm.is_numpy_lstm(config) and (lacking := numpy_lstm.unsupported_by_numpy_lstm(config)):
        raise UserError(lacking)
    _check_gpu(config["trainer"]["accelerator"])
    _check_vectors(config["model"])


def prepare(config: dict[str, Any], overrides: list[str], corpus: Corpus | None = None) -> PreparedRun:
    """Check every value, find the corpus, encode it (or find it encoded). Raises UserError.

    `corpus` is what a sweep resolved for this run; None: resolve it here.
    """
    check(config)
    task = task_of(config)
    if corpus is None:
        [corpus] = task.resolve([config])
    # The bundled sample may stand in, a book be named by its file: the config says what was read.
    config = config | {"corpus": config["corpus"] | {"name": corpus.name}}
    digest = identity.config_hash(config, corpus.fingerprint)
    written = [o for o in overrides if not o.startswith(PINNED)]
    varied = config["sweep"]["varied"] or identity.slug(written)
    folder = _folder(outputs_folder() / (config["sweep"]["name"] or "single"), varied, digest)
    return PreparedRun(config, written, task, corpus, task.encode(corpus, config), digest, folder)


def _folder(sweep: Path, varied: str, digest: str) -> Path:
    """The folder that the run of this hash has already, whatever it was called; else a new name."""
    known = [path for path in sorted(sweep.glob(f"*-{digest}")) if path.is_dir()]
    return known[0] if known else sweep / f"{varied}-{digest}"


def _check_gpu(accelerator: str) -> None:
    if accelerator != "gpu":
        return
    import torch  # seconds, and only where a GPU is asked for

    if not torch.cuda.is_available():
        raise UserError("trainer=gpu, but torch finds no GPU here: use trainer=cpu")


def _check_vectors(model: Config) -> None:
    if model["pretrained_embeddings"] is not None:
        if model["input"] != "embedding":
            raise UserError(f"model.pretrained_embeddings needs model.input=embedding, not {model['input']}")
        pretrained_embeddings.check(absolute_path(model["pretrained_embeddings"]), model["embed_size"])


def report_found(runs: Sequence[PreparedRun]) -> None:
    """What the runs' corpora hold, each once, after a warning where the sample stands in."""
    fallback = next((p.corpus.fallback for p in runs if p.corpus.fallback), None)
    if fallback:
        warn_of_bundled_sample(fallback)
    found = list(dict.fromkeys(p.task.found(p.corpus, p.encoded, p.config) for p in runs))
    for text in found[:SHOWN]:
        print_line(text)
    if len(found) > SHOWN:
        print_line(f"… and {len(found) - SHOWN} more")
