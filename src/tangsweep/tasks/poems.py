"""Poems: a language model that scores every character, and composes."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from tangsweep.batches.encode import encode
from tangsweep.batches.encoded import Encoded
from tangsweep.batches.split import PoemSettings
from tangsweep.config import rules
from tangsweep.config.identity import flatten
from tangsweep.config.rules import Rule, one_of, or_null
from tangsweep.corpora.resolve import Source, resolve
from tangsweep.corpora.tang import Corpus
from tangsweep.errors import UserError
from tangsweep.files import atomic_write
from tangsweep.prosody import lookup
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import LogTable, TextTable
from tangsweep.tasks.task import Config

RULES: dict[str, Rule] = {
    "corpus.root": or_null(rules.TEXT),
    "corpus.url": or_null(rules.TEXT),
    "corpus.verify": rules.FLAG,
    "data.poems": or_null(rules.COUNT),
    "data.duplicates": one_of("drop", "keep"),
    "data.min_chars": rules.COUNT,
    "data.max_chars": rules.COUNT,
    "data.long": one_of("chunk", "truncate"),
    "data.punctuation": one_of("keep", "drop"),
    "data.min_freq": rules.COUNT,
    "data.split": one_of("fraction", "fixed"),
    "data.train_fraction": rules.SHARE,
    "data.train_poems": or_null(rules.COUNT),
    "data.dev_poems": or_null(rules.COUNT),
    "data.pool": or_null(rules.COUNT),
    "data.split_seed": or_null(rules.WHOLE),
    "data.pad": one_of("batch", "fixed"),
    "data.score_pads": rules.FLAG,
    "model.input": one_of("embedding", "one_hot"),
    "trainer.val_every": rules.ONE_PASS,
    "poems.starts": rules.TEXT,
    "poems.lines": rules.COUNT,
    "poems.forms": rules.FORMS,
    "poems.quality": rules.FLAG,
}


class Poems:
    """全唐诗, or the bundled sample of poems."""

    def check(self, config: Config) -> None:
        values = dict(flatten(config))
        rules.hold(RULES, values, data="poems")
        if values["data.max_chars"] < values["data.min_chars"]:
            raise UserError(
                f"data.max_chars={values['data.max_chars']} is below "
                f"data.min_chars={values['data.min_chars']}: raise the one or lower the other"
            )
        if values["data.split"] == "fixed":
            _check_fixed(values)

    def resolve(self, configs: Sequence[Config]) -> list[Corpus]:
        """A source is read once, for the config that needs most of it."""
        wanted: dict[Source, list[int | None]] = {}
        for config in configs:
            wanted.setdefault(_source(config), []).append(settings(config).poems_to_read)
        found = {
            source: resolve(source, None if None in counts else max(c for c in counts if c is not None))
            for source, counts in wanted.items()
        }
        corpora = [found[_source(c)].first(settings(c).poems_to_read) for c in configs]
        measured = [c for c, corpus in zip(configs, corpora, strict=True) if _measures(c, corpus)]
        if measured:  # once, before the first run; at hand from then on
            lookup.best(measured[0]["corpus"]["root"])
        return corpora

    def encode(self, corpus: Corpus, config: Config) -> Encoded:
        return encode(corpus, settings(config))

    def found(self, corpus: Corpus, encoded: Encoded, config: Config) -> str:
        facts = encoded.facts
        poems, characters = facts["poems"], facts["characters"]
        checked = "" if corpus.verified else ", not the published files: checksums differ"
        return (
            f"corpus {corpus.name} ({corpus.source}{checked}): {poems['read']:,} poems read; "
            f"{poems['empty']:,} empty, {poems['duplicate']:,} duplicate, {poems['short']:,} short "
            f"dropped; {poems['train']:,} train, {poems['dev']:,} held out\n"
            f"characters scored: {characters['train']:,} train, {characters['dev']:,} held out; "
            f"vocabulary {facts['vocabulary']:,}; "
            f"{facts['oov']['dev']['rate']:.1%} of the held-out ones unknown"
        )

    def data(self, encoded: Encoded, config: Config) -> Any:
        """`data.pad=fixed` pads to max_chars and the one mark that may follow."""
        from tangsweep.batches.poems import PoemData

        values = config["data"]
        width = values["max_chars"] + 1 if values["pad"] == "fixed" else None
        return PoemData(encoded, values["batch_size"], config["seed"], width, values["score_pads"])

    def callbacks(self, encoded: Encoded, config: Config, folder: RunFolder, show: LogTable) -> list[Any]:
        return []

    def leave(
        self, model: Any, encoded: Encoded, config: Config, folder: RunFolder, show: LogTable
    ) -> dict[str, Any]:
        """poems.txt and W&B's table of the same; for the record the poems' `quality`."""
        from tangsweep.evaluation import poem_quality
        from tangsweep.generation import run_poems
        from tangsweep.generation.poet import Poet

        poet = Poet(model, encoded.vocabulary)
        poems = run_poems.compose(poet, config["poems"], config["seed"])
        atomic_write(folder.poems, run_poems.as_text(poems))
        show(TextTable("poems", run_poems.COLUMNS, poems), None)
        measured = config["poems"]["quality"]
        return {"quality": poem_quality.measure(poet, lookup.at_hand(), encoded.train) if measured else None}


def _measures(config: Config, corpus: Corpus) -> bool:
    """Whether a run will want tones and rhymes; the sample makes do with what is at hand."""
    return bool(config["poems"]["quality"] and corpus.name == "tang" and not config["plan"])


def _source(config: Config) -> Source:
    return Source("sample") if config["sweep"]["stands_in"] else Source.of(config["corpus"])


def settings(config: Config) -> PoemSettings:
    """The part of the config group `data` that decides what is read, kept and held out."""
    return PoemSettings(**{field.name: config["data"][field.name] for field in fields(PoemSettings)})


def _check_fixed(values: Mapping[str, Any]) -> None:
    pool, poems = values["data.pool"], values["data.poems"]
    if pool is None or values["data.dev_poems"] is None:
        raise UserError("data.split=fixed needs data.pool and data.dev_poems: set both")
    if poems is not None and poems > pool:
        raise UserError(f"data.poems={poems} is more than data.pool={pool}: raise data.pool")
