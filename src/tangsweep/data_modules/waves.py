"""Sine waves of two classes as a LightningDataModule."""

from typing import Literal

from tangsweep.batches.synthetic import EncodedExamples
from tangsweep.batches.waves import encode_waves, wave_batches
from tangsweep.batches.windows import StepwiseBatches
from tangsweep.config.data_options import StreamDataOptions, WaveOptions
from tangsweep.data_modules.data_module import LanguageDataModule


class WaveDataModule(LanguageDataModule[EncodedExamples]):
    """Sine waves without end; the model reads samples and predicts whether the period lies in [5, 6].

    The arguments of `conf/data/stream.yaml` and `conf/corpus/frequency.yaml` have their names and checks, and
    the defaults of the latter; docs/configuration.md describes them. Raises UserError, one line, for a value
    that is invalid.

    Args:
        time_input: time stamps are an input. None means True: a data module does not know the cell. False
            suits a phased_lstm, which reads them anyway.
        steps_per_epoch: optimizer steps after which Lightning ends an epoch; `trainer.val_every` of runs.
        seed: the training examples follow from it and the step.
    """

    task = "frequency"
    options: StreamDataOptions

    def __init__(
        self,
        batch_size: int = 32,
        *,
        dev_size: int = 1000,
        sampling: Literal["regular", "oversampled", "random"] = "regular",
        time_input: bool | None = None,
        steps_per_epoch: int = 50,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.options = self.checked_options(StreamDataOptions)
        waves = self.checked_options(WaveOptions)
        self.sampling, self.time_input = waves.sampling, waves.time_input is not False
        self.steps_per_epoch, self.seed = steps_per_epoch, seed

    def encode(self) -> EncodedExamples:
        return encode_waves(self.sampling, self.time_input, self.options.dev_size)

    def make_batches(self, encoded: EncodedExamples) -> StepwiseBatches:
        return wave_batches(self.sampling, self.time_input, self.options, self.steps_per_epoch, self.seed)
