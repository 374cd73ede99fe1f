"""Palindromes of digits as a LightningDataModule."""

from tangsweep.batches.palindromes import Palindromes, encode_palindromes, palindrome_batches
from tangsweep.batches.synthetic import EncodedExamples
from tangsweep.batches.windows import StepwiseBatches
from tangsweep.config.data_options import PalindromeOptions, StreamDataOptions
from tangsweep.data_modules.data_module import LanguageDataModule


class PalindromeDataModule(LanguageDataModule[EncodedExamples]):
    """Palindromes without end; the model reads all digits but the last, and predicts the last.

    The arguments of `conf/data/stream.yaml` and `conf/corpus/palindromes.yaml` have their names, defaults and
    checks; docs/configuration.md describes them. Raises UserError, one line, for a value that is invalid.

    Args:
        steps_per_epoch: optimizer steps after which Lightning ends an epoch; `trainer.val_every` of runs.
        seed: the training examples follow from it and the step.
    """

    task = "palindromes"
    options: StreamDataOptions

    def __init__(
        self,
        batch_size: int = 128,
        *,
        dev_size: int = 10000,
        length: int = 10,
        curriculum: int = 0,
        steps_per_epoch: int = 100,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.options = self.checked_options(StreamDataOptions)
        digits = self.checked_options(PalindromeOptions)
        self.palindromes, self.curriculum = Palindromes(digits.length, dev_size), digits.curriculum
        self.steps_per_epoch, self.seed = steps_per_epoch, seed

    def encode(self) -> EncodedExamples:
        return encode_palindromes(self.palindromes)

    def make_batches(self, encoded: EncodedExamples) -> StepwiseBatches:
        return palindrome_batches(
            self.palindromes, self.options.batch_size, self.curriculum, self.steps_per_epoch, self.seed
        )
