"""Frequency discrimination: does a sine wave's period lie in [5, 6]? (Neil, Pfeiffer and Liu 2016)"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tangsweep.batches.synthetic import EncodedExamples, SyntheticCorpus
from tangsweep.batches.waves import NAME, encode_waves, wave_batches, waves_fingerprint
from tangsweep.config.data_options import FrequencyCorpusOptions, StreamDataOptions
from tangsweep.config.run_config import RunConfig
from tangsweep.tasks.task import Task

if TYPE_CHECKING:
    from tangsweep.batches.batch import RunBatches

FrequencyConfig = RunConfig[FrequencyCorpusOptions, StreamDataOptions]


class FrequencyTask(Task[SyntheticCorpus, EncodedExamples, FrequencyConfig]):
    """Predict the class of a wave at its last sample: the task that the Phased LSTM was made for."""

    corpus_options = FrequencyCorpusOptions
    data_options = StreamDataOptions
    data_file = "stream"
    inputs = ("reals",)

    def find_corpora(self, configs: Sequence[FrequencyConfig]) -> list[SyntheticCorpus]:
        return [SyntheticCorpus(NAME, waves_fingerprint(config.corpus.sampling)) for config in configs]

    def encode(self, corpus: SyntheticCorpus, config: FrequencyConfig) -> EncodedExamples:
        return encode_waves(config.corpus.sampling, _has_time_input(config), config.data.dev_size)

    def describe_corpus(
        self, corpus: SyntheticCorpus, encoded: EncodedExamples, config: FrequencyConfig
    ) -> str:
        inputs = "their time stamps an input" if encoded.inputs == 2 else "no time stamps among the inputs"
        return (
            f"corpus {NAME}, {config.corpus.sampling} sampling, {inputs}, drawn without end; "
            f"evaluated on {config.data.dev_size:,} waves of their own"
        )

    def batches(self, encoded: EncodedExamples, config: FrequencyConfig) -> "RunBatches":
        assert config.trainer.val_every is not None
        return wave_batches(
            config.corpus.sampling,
            _has_time_input(config),
            config.data,
            config.trainer.val_every,
            config.data_seed,
        )


def _has_time_input(config: FrequencyConfig) -> bool:
    configured = config.corpus.time_input
    return not config.cell.reads_times if configured is None else configured
