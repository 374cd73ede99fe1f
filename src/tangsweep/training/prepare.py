"""What must be right before a run starts, without torch: values, corpus, encoding, identity, folder."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from tangsweep import places
from tangsweep.batches.encode import Encoded, encode
from tangsweep.batches.split import PoemSettings
from tangsweep.console import say, warn_of_sample
from tangsweep.corpora.resolve import resolve
from tangsweep.corpora.tang import Corpus
from tangsweep.errors import UserError
from tangsweep.runs import identity
from tangsweep.runs.settings import check


class Prepared(NamedTuple):
    """A run that can start."""

    config: dict[str, Any]  # resolved, plain values
    overrides: list[str]
    corpus: Corpus
    encoded: Encoded
    config_hash: str
    folder: Path  # outputs/<sweep>/<run>

    @property
    def name(self) -> str:
        return self.folder.name


def prepare(config: dict[str, Any], overrides: list[str]) -> Prepared:
    """Check every value, find the corpus, encode it (or find it encoded). Raises UserError."""
    check(config)
    settings = poem_settings(config["data"])
    _check_vectors(config["model"]["pretrained_embeddings"])
    source = config["corpus"]
    corpus = resolve(source["name"], source["root"], source["url"], settings.poems_to_read)
    source["name"] = corpus.name  # the bundled sample may stand in: the config says what was read
    digest = identity.config_hash(config, corpus.fingerprint)
    varied = config["sweep"]["varied"] or identity.slug(overrides)
    folder = places.outputs() / (config["sweep"]["name"] or "single") / f"{varied}-{digest}"
    return Prepared(config, overrides, corpus, encode(corpus, settings), digest, folder)


def _check_vectors(path: str | None) -> None:
    if path is not None and not places.anchored(path).exists():
        raise UserError(
            f"model.pretrained_embeddings: {places.anchored(path)} does not exist: name a word-vector "
            "file, or make one with python -m tangsweep.corpora.vectors"
        )


def poem_settings(data: Mapping[str, Any]) -> PoemSettings:
    """The part of the config group `data` that decides what is read, kept and held out."""
    return PoemSettings(**{field.name: data[field.name] for field in fields(PoemSettings)})


def report_found(prepared: Prepared) -> None:
    """Two lines on what the corpus holds, after a warning where the sample stands in."""
    if prepared.corpus.fallback:
        warn_of_sample(prepared.corpus.fallback)
    facts, corpus = prepared.encoded.facts, prepared.corpus
    poems, characters = facts["poems"], facts["characters"]
    checked = "" if corpus.verified else ", not the published files: checksums differ"
    say(
        f"corpus {corpus.name} ({corpus.source}{checked}): {poems['read']:,} poems read; "
        f"{poems['empty']:,} empty, {poems['duplicate']:,} duplicate, {poems['short']:,} short "
        f"dropped; {poems['train']:,} train, {poems['dev']:,} held out\n"
        f"characters scored: {characters['train']:,} train, {characters['dev']:,} held out; "
        f"vocabulary {facts['vocabulary']:,}; {facts['oov']['dev']['rate']:.1%} of the held-out ones unknown"
    )
