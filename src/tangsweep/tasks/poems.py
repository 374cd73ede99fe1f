"""The poem task: train a character language model on Tang poems, compose poems and measure their quality."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tangsweep.batches.encode import encode_poems
from tangsweep.batches.encoded_text import EncodedText
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

    def align(self, configs: Sequence[PoemConfig]) -> list[PoemConfig]:
        """Let runs on different numbers of poems share a test set, behind the largest number."""
        counts = {c.data.poems_to_read for c in configs if c.data.test_poems and c.data.poems_to_read}
        if len(counts) < 2:
            return list(configs)
        return [
            config.with_value("data", "test_after", max(counts))
            if config.data.test_poems and config.data.poems_to_read and config.data.test_after is None
            else config
            for config in configs
        ]

    def find_corpora(self, configs: Sequence[PoemConfig]) -> list[PoemCorpus]:
        """Read each source once, for the config that needs most of it."""
        by_source: dict[PoemSource, list[PoemDataOptions]] = {}
        for config in configs:
            by_source.setdefault(_poem_source(config), []).append(config.data)
        corpora = {source: _read_for_all(source, options) for source, options in by_source.items()}
        return [
            corpora[_poem_source(config)].first(config.data.poems_to_read, config.data.later_poems)
            for config in configs
        ]

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
        test = f"; {poems['test']:,} test" if poems.get("test") else "; no poems left for a test set"
        unverified = "" if corpus.verified else ", not the published files: checksums differ"
        return (
            f"corpus {corpus.name} ({corpus.source}{unverified}): {poems['read']:,} poems read; "
            f"{poems['empty']:,} empty, {poems['duplicate']:,} duplicate, {poems['short']:,} short "
            f"dropped; {poems['train']:,} train, {poems['dev']:,} held out"
            f"{test if config.data.test_poems else ''}\n"
            f"characters scored: {facts.characters.train:,} train, {facts.characters.dev:,} held out; "
            f"vocabulary {facts.vocabulary:,}; "
            f"{facts.oov['dev'].rate:.1%} of the held-out ones unknown"
        )

    def batches(self, encoded: EncodedText, config: PoemConfig) -> "RunBatches":
        from tangsweep.batches.poems import PoemBatches

        return PoemBatches(encoded, config.data, config.data_seed)

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


def _read_for_all(source: PoemSource, options: Sequence[PoemDataOptions]) -> PoemCorpus:
    """Read as many poems as any of the configs needs, and as many behind them as its test set needs."""
    counts = [data.poems_to_read for data in options]
    if None in counts:
        return find_poems(source, None)
    count = max(c for c in counts if c is not None)
    return find_poems(source, count, range(count, max(count, *(data.later_poems.stop for data in options))))


def _poem_source(config: PoemConfig) -> PoemSource:
    corpus = config.corpus
    return (
        PoemSource("sample")
        if config.sweep.stands_in
        else PoemSource(corpus.name, corpus.root, corpus.url, corpus.verify)
    )
