"""What must be right before a run starts, without torch: values, corpus, encoding, identity, folder."""

from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from tangsweep import places
from tangsweep.analytic import limits
from tangsweep.batches.encode import Encoded, encode
from tangsweep.batches.split import PoemSettings
from tangsweep.console import say, warn_of_sample
from tangsweep.corpora import word_vectors
from tangsweep.corpora.resolve import Source, resolve
from tangsweep.corpora.tang import Corpus
from tangsweep.errors import UserError
from tangsweep.runs import identity
from tangsweep.runs.settings import check

PINNED = ("corpus.name=", "sweep.varied=")  # overrides that the sweeper adds; no user wrote them


class Prepared(NamedTuple):
    """A run that can start."""

    config: dict[str, Any]  # resolved, plain values
    overrides: list[str]  # as the user wrote them
    corpus: Corpus
    encoded: Encoded
    config_hash: str
    folder: Path  # outputs/<sweep>/<run>

    @property
    def name(self) -> str:
        return self.folder.name


def prepare(config: dict[str, Any], overrides: list[str], corpus: Corpus | None = None) -> Prepared:
    """Check every value, find the corpus, encode it (or find it encoded). Raises UserError.

    `corpus` is what a sweep resolved for all its runs; None: resolve it here.
    """
    check(config)
    if config["cell"]["name"] == limits.CELL and (lacking := limits.complaint(config)):
        raise UserError(lacking)
    _check_gpu(config["trainer"]["accelerator"])
    _check_vectors(config["model"])
    settings = poem_settings(config)
    if corpus is None:
        corpus = resolve(Source.of(config["corpus"]), settings.poems_to_read)
    corpus = corpus.first(settings.poems_to_read)
    # The bundled sample may stand in: the config says what was read.
    config = config | {"corpus": config["corpus"] | {"name": corpus.name}}
    digest = identity.config_hash(config, corpus.fingerprint)
    written = [o for o in overrides if not o.startswith(PINNED)]
    varied = config["sweep"]["varied"] or identity.slug([o for o in written if "sweep.name=" not in o])
    folder = places.outputs() / (config["sweep"]["name"] or "single") / f"{varied}-{digest}"
    return Prepared(config, written, corpus, encode(corpus, settings), digest, folder)


def poem_settings(config: dict[str, Any]) -> PoemSettings:
    """The part of the config group `data` that decides what is read, kept and held out."""
    return PoemSettings(**{field.name: config["data"][field.name] for field in fields(PoemSettings)})


def _check_gpu(accelerator: str) -> None:
    if accelerator != "gpu":
        return
    import torch  # seconds, and only where a GPU is asked for

    if not torch.cuda.is_available():
        raise UserError("trainer=gpu, but torch finds no GPU here: use trainer=cpu")


def _check_vectors(model: dict[str, Any]) -> None:
    if model["pretrained_embeddings"] is not None:
        word_vectors.check(places.anchored(model["pretrained_embeddings"]), model["embed_size"])


def report_found(prepared: Prepared) -> None:
    """Two lines on what the corpus holds, after a warning where the sample stands in."""
    if prepared.corpus.fallback:
        warn_of_sample(prepared.corpus.fallback)
    facts, corpus = prepared.encoded.facts, prepared.corpus
    poems, characters = facts["poems"], facts["characters"]
    checked = "" if corpus.verified else ", not the published files: checksums differ"
    published = prepared.config["published"].get("vocabulary")
    beside = f" (published: {published:,})" if published else ""
    say(
        f"corpus {corpus.name} ({corpus.source}{checked}): {poems['read']:,} poems read; "
        f"{poems['empty']:,} empty, {poems['duplicate']:,} duplicate, {poems['short']:,} short "
        f"dropped; {poems['train']:,} train, {poems['dev']:,} held out\n"
        f"characters scored: {characters['train']:,} train, {characters['dev']:,} held out; "
        f"vocabulary {facts['vocabulary']:,}{beside}; "
        f"{facts['oov']['dev']['rate']:.1%} of the held-out ones unknown"
    )
