"""A book: a language model of its characters that writes samples while it learns to spell."""

from collections.abc import Sequence
from typing import Any

from tangsweep.batches.encode_book import encode
from tangsweep.batches.encoded import Encoded
from tangsweep.config import rules
from tangsweep.config.identity import flatten
from tangsweep.config.rules import one_of, or_null
from tangsweep.corpora.book import Book, Source, resolve
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import LogTable
from tangsweep.tasks.task import Config

RULES = {
    "corpus.name": rules.TEXT,
    "corpus.path": or_null(rules.TEXT),
    "corpus.root": or_null(rules.TEXT),
    "corpus.verify": rules.FLAG,
    "corpus.strip_license": rules.FLAG,
    "data.seq_len": rules.COUNT,
    "data.windows": one_of("random", "contiguous"),
    "data.dev_fraction": rules.SHARE,
    "data.min_freq": rules.COUNT,
    "model.input": one_of("embedding", "one_hot"),
    "trainer.val_every": rules.COUNT,
    "samples.every": or_null(rules.COUNT),
    "samples.length": rules.COUNT,
    "samples.temperatures": rules.list_of(rules.NOT_NEGATIVE),
    "samples.prompts": rules.list_of(rules.TEXT),
    "samples.prompt_temperature": rules.NOT_NEGATIVE,
}


class Books:
    """Any UTF-8 text; its last part is held out."""

    def check(self, config: Config) -> None:
        rules.hold(RULES, dict(flatten(config)), data="windows")

    def resolve(self, configs: Sequence[Config]) -> list[Book]:
        """Each text is read once."""
        sources = [Source.of(config["corpus"]) for config in configs]
        found = {source: resolve(source) for source in dict.fromkeys(sources)}
        return [found[source] for source in sources]

    def encode(self, corpus: Book, config: Config) -> Encoded:
        values = config["data"]
        return encode(corpus, values["seq_len"], values["dev_fraction"], values["min_freq"])

    def found(self, corpus: Book, encoded: Encoded, config: Config) -> str:
        facts = encoded.facts
        characters, unknown = facts["characters"], facts["oov"]["dev"]["rate"]
        stripped = f"; licence of {corpus.stripped:,} taken off" if corpus.stripped else ""
        return (
            f"corpus {corpus.name} ({corpus.source}): {len(corpus.text):,} characters{stripped}\n"
            f"characters scored: {characters['train']:,} train, {characters['dev']:,} held out; "
            f"vocabulary {facts['vocabulary']:,}; {unknown:.2%} of the held-out ones unknown"
        )

    def data(self, encoded: Encoded, config: Config) -> Any:
        from tangsweep.batches.stepwise import Stepwise
        from tangsweep.batches.windows import Apart, Contiguous, Random, for_evaluation

        values, ids = config["data"], encoded.train.ids
        rows, seq_len = values["batch_size"], values["seq_len"]
        windows = (
            Contiguous(ids, rows, seq_len)
            if values["windows"] == "contiguous"
            else Random(ids, rows, seq_len, config["seed"])
        )
        sides: dict[str, Any] = {
            "train": for_evaluation(ids),
            "train_windows": Apart(ids, seq_len),  # as the course reports measured, most likely
            "dev": for_evaluation(encoded.dev.ids),
        }
        return Stepwise(windows.window, config["trainer"]["val_every"], sides, whole_sequences=False)

    def callbacks(self, encoded: Encoded, config: Config, folder: RunFolder, show: LogTable) -> list[Any]:
        from tangsweep.generation.training_samples import Samples

        values = config["samples"]
        if values["every"] is None:
            return []
        return [
            Samples(
                encoded.vocabulary,
                folder,
                show,
                config["seed"],
                values["every"],
                values["length"],
                values["temperatures"],
            )
        ]

    def leave(
        self, model: Any, encoded: Encoded, config: Config, folder: RunFolder, show: LogTable
    ) -> dict[str, Any]:
        """The prompts' continuations, at the end of samples.txt."""
        from tangsweep.generation.training_samples import continuations

        values = config["samples"]
        continuations(
            model,
            encoded.vocabulary,
            folder,
            show,
            values["prompts"],
            values["length"],
            values["prompt_temperature"],
            config["seed"],
        )
        return {}
