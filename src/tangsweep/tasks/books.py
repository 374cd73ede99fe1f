"""The book task: train a character language model on a book and sample text from it during training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tangsweep.batches.encode import encode_book
from tangsweep.batches.encoded_text import EncodedText
from tangsweep.config.data_options import BookCorpusOptions, BookDataOptions
from tangsweep.config.identity import has_value_before
from tangsweep.config.run_config import RunConfig
from tangsweep.corpora.book import Book, BookSource, find_book, opening_lines
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.mirror import LogTable
from tangsweep.runs.record import Record
from tangsweep.tasks.task import Task

if TYPE_CHECKING:
    from pytorch_lightning import Callback

    from tangsweep.batches.batch import RunBatches
    from tangsweep.language_model import LanguageModel

BookConfig = RunConfig[BookCorpusOptions, BookDataOptions]


class BookTask(Task[Book, EncodedText, BookConfig]):
    """A language model of any UTF-8 text; the last part of the text is held out."""

    corpus_options = BookCorpusOptions
    data_options = BookDataOptions
    data_file = "windows"
    inputs = ("embedding", "one_hot")

    def find_corpora(self, configs: Sequence[BookConfig]) -> list[Book]:
        sources = [_book_source(config.corpus) for config in configs]
        books = {source: find_book(source) for source in dict.fromkeys(sources)}
        return [books[source] for source in sources]

    def encode(self, corpus: Book, config: BookConfig) -> EncodedText:
        data = config.data
        return encode_book(corpus, data.seq_len, data.dev_fraction, data.min_freq, data.test_fraction)

    def describe_corpus(self, corpus: Book, encoded: EncodedText, config: BookConfig) -> str:
        facts = encoded.facts
        assert facts.characters and facts.oov
        stripped = f"; licence of {corpus.stripped:,} characters removed" if corpus.stripped else ""
        return (
            f"corpus {corpus.name} ({corpus.source}): {len(corpus.text):,} characters{stripped}\n"
            f"characters scored: {facts.characters.train:,} train, {facts.characters.dev:,} held out; "
            f"vocabulary {facts.vocabulary:,}; {facts.oov['dev'].rate:.2%} of the held-out ones unknown"
        )

    def batches(self, encoded: EncodedText, config: BookConfig) -> "RunBatches":
        from tangsweep.batches.windows import book_batches

        assert config.trainer.val_every is not None
        return book_batches(encoded, config.data, config.trainer.val_every, config.data_seed)

    def callbacks(
        self, encoded: EncodedText, config: BookConfig, folder: RunFolder, log_table: LogTable
    ) -> "list[Callback]":
        from tangsweep.generation.training_samples import SamplesCallback

        samples = config.samples
        if samples.every is None:
            return []
        return [
            SamplesCallback(
                encoded.vocabulary,
                folder,
                log_table,
                config.seed,
                samples.every,
                samples.length,
                samples.temperatures,
            )
        ]

    def write_outputs(
        self,
        model: "LanguageModel",
        encoded: EncodedText,
        config: BookConfig,
        folder: RunFolder,
        log_table: LogTable,
        record: Record,
    ) -> None:
        """Write continuations at the end of samples.txt."""
        from tangsweep.generation.training_samples import write_continuations

        samples = config.samples
        write_continuations(
            model,
            encoded.vocabulary,
            folder,
            log_table,
            continued_prompts(encoded, config),
            samples.length,
            samples.prompt_temperature,
            config.seed,
        )


def continued_prompts(encoded: EncodedText, config: BookConfig) -> list[str]:
    """Return the texts that a model continues when its training ends.

    The prompts that conf/ brings are from the three books that are known by name. A user's own text has lines
    of its held-out part instead, unless prompts are set.
    """
    prompts = config.samples.prompts
    if config.corpus.path is None or not has_value_before("samples.prompts", prompts):
        return prompts
    vocabulary = encoded.vocabulary
    ids = [int(id) for id in encoded.dev.ids if id != vocabulary.oov]
    return opening_lines(vocabulary.decode(ids))


def _book_source(corpus: BookCorpusOptions) -> BookSource:
    return BookSource(corpus.name, corpus.path, corpus.root, corpus.verify, corpus.strip_license)
