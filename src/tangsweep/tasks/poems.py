"""The poem task: train a character language model on Tang poems, compose poems and measure their quality."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tangsweep.batches.encoded_text import EncodedText, encode_poems
from tangsweep.batches.split import check_split_options
from tangsweep.config.data_options import PoemCorpusOptions, PoemDataOptions
from tangsweep.config.run_config import RunConfig
from tangsweep.corpora.tang import PoemCorpus, PoemSource, find_poems
from tangsweep.errors import UserError
from tangsweep.files import atomic_write
from tangsweep.prosody import tables
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.mirror import LogTable, TextTable
from tangsweep.runs.record import Record
from tangsweep.tasks.task import Task

if TYPE_CHECKING:
    from tangsweep.batches.batch import RunBatches
    from tangsweep.language_model import LanguageModel

PoemConfig = RunConfig[PoemCorpusOptions, PoemDataOptions]


class PoemTask(Task[PoemCorpus, EncodedText, PoemConfig]):
    """A language model of 全唐诗, the complete Tang poems, or of the bundled sample of poems."""

    corpus_options = PoemCorpusOptions
    data_options = PoemDataOptions
    data_file = "poems"
    inputs = ("embedding", "one_hot")

    def check(self, config: PoemConfig) -> None:
        check_split_options(config.data)
        if config.trainer.val_every is not None:
            raise UserError(
                f"trainer.val_every={config.trainer.val_every} is invalid: it must be null, because an "
                "epoch of poems is one pass"
            )
        self.check_model_input(config)

    def find_corpora(self, configs: Sequence[PoemConfig]) -> list[PoemCorpus]:
        """Read each source once, for the config that needs most of it."""
        counts: dict[PoemSource, list[int | None]] = {}
        for config in configs:
            counts.setdefault(_poem_source(config), []).append(config.data.poems_to_read)
        corpora = {
            source: find_poems(source, None if None in sizes else max(c for c in sizes if c))
            for source, sizes in counts.items()
        }
        return [corpora[_poem_source(config)].first(config.data.poems_to_read) for config in configs]

    def download_extras(self, configs: Sequence[PoemConfig], corpora: Sequence[PoemCorpus]) -> None:
        """Build the tables of tones and rhymes from the whole of 全唐诗 and its annotation (45 MB, once).

        Runs on the bundled sample use the tables only if they were built before.
        """
        pairs = zip(configs, corpora, strict=True)
        measured = [config for config, corpus in pairs if config.poems.quality and corpus.name == "tang"]
        if measured:
            tables.load_or_build_prosody(measured[0].corpus.root)

    def encode(self, corpus: PoemCorpus, config: PoemConfig) -> EncodedText:
        return encode_poems(corpus, config.data)

    def describe_corpus(self, corpus: PoemCorpus, encoded: EncodedText, config: PoemConfig) -> str:
        facts = encoded.facts
        assert facts.poems and facts.characters and facts.oov
        poems = facts.poems
        unverified = "" if corpus.verified else ", not the published files: checksums differ"
        return (
            f"corpus {corpus.name} ({corpus.source}{unverified}): {poems['read']:,} poems read; "
            f"{poems['empty']:,} empty, {poems['duplicate']:,} duplicate, {poems['short']:,} short "
            f"dropped; {poems['train']:,} train, {poems['dev']:,} held out\n"
            f"characters scored: {facts.characters.train:,} train, {facts.characters.dev:,} held out; "
            f"vocabulary {facts.vocabulary:,}; "
            f"{facts.oov['dev'].rate:.1%} of the held-out ones unknown"
        )

    def batches(self, encoded: EncodedText, config: PoemConfig) -> "RunBatches":
        from tangsweep.batches.poems import poem_batches

        return poem_batches(encoded, config.data, config.seed)

    def write_outputs(
        self,
        model: "LanguageModel",
        encoded: EncodedText,
        config: PoemConfig,
        folder: RunFolder,
        log_table: LogTable,
        record: Record,
    ) -> None:
        """Write poems.txt, log the same poems as a table, and measure their quality."""
        from tangsweep.evaluation import poem_quality
        from tangsweep.generation import run_poems
        from tangsweep.generation.poem_composer import PoemComposer

        poet = PoemComposer(model, encoded.vocabulary)
        poems = run_poems.compose_run_poems(poet, config.poems, config.seed)
        atomic_write(folder.poems, run_poems.format_run_poems(poems))
        log_table(TextTable("poems", run_poems.COLUMNS, poems), None)
        record.quality = None
        if config.poems.quality:
            record.quality = poem_quality.measure_quality(poet, tables.cached_prosody(), encoded.train)


def _poem_source(config: PoemConfig) -> PoemSource:
    corpus = config.corpus
    return (
        PoemSource("sample")
        if config.sweep.stands_in
        else PoemSource(corpus.name, corpus.root, corpus.url, corpus.verify)
    )
