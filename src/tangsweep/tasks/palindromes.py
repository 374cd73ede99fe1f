"""Palindromes: a model reads all digits but the last and predicts the last, which is the first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tangsweep.batches.palindromes import (
    NAME,
    Palindromes,
    encode_palindromes,
    palindrome_batches,
)
from tangsweep.batches.synthetic import EncodedExamples, SyntheticCorpus
from tangsweep.config.data_options import PalindromeCorpusOptions, StreamDataOptions
from tangsweep.config.run_config import RunConfig
from tangsweep.tasks.task import Task

if TYPE_CHECKING:
    from tangsweep.batches.batch import RunBatches

PalindromeConfig = RunConfig[PalindromeCorpusOptions, StreamDataOptions]


class PalindromeTask(Task[SyntheticCorpus, EncodedExamples, PalindromeConfig]):
    """How long can a cell remember one digit?"""

    corpus_options = PalindromeCorpusOptions
    data_options = StreamDataOptions
    data_file = "stream"
    inputs = ("one_hot", "embedding")

    def find_corpora(self, configs: Sequence[PalindromeConfig]) -> list[SyntheticCorpus]:
        return [SyntheticCorpus(NAME, _palindromes(config).fingerprint) for config in configs]

    def encode(self, corpus: SyntheticCorpus, config: PalindromeConfig) -> EncodedExamples:
        return encode_palindromes(_palindromes(config))

    def describe_corpus(
        self, corpus: SyntheticCorpus, encoded: EncodedExamples, config: PalindromeConfig
    ) -> str:
        palindromes = _palindromes(config)
        warning = (
            f"; there are only {palindromes.distinct:,} palindromes of this length, so training draws some "
            "of the evaluation set as well"
            if palindromes.overlaps
            else "; training never draws one of them"
        )
        return (
            f"corpus {NAME} of {palindromes.length} digits, drawn without end; evaluated on "
            f"{palindromes.dev_size:,}{warning}"
        )

    def batches(self, encoded: EncodedExamples, config: PalindromeConfig) -> "RunBatches":
        assert config.trainer.val_every is not None
        return palindrome_batches(
            _palindromes(config),
            config.data.batch_size,
            config.corpus.curriculum,
            config.trainer.val_every,
            config.data_seed,
        )


def _palindromes(config: PalindromeConfig) -> Palindromes:
    return Palindromes(config.corpus.length, config.data.dev_size)
