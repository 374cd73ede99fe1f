"""A book, or any UTF-8 text, as a LightningDataModule."""

from collections.abc import Sequence
from typing import Literal

from tangsweep.batches.encode import encode_book
from tangsweep.batches.encoded_text import EncodedText
from tangsweep.batches.windows import StepwiseBatches, book_batches
from tangsweep.config.data_options import BookDataOptions, BookFileOptions
from tangsweep.corpora.book import Book, BookSource, find_book
from tangsweep.data_modules.data_module import LanguageDataModule


class BookDataModule(LanguageDataModule[EncodedText]):
    """Windows of one long text, whose last part is the development set.

    The arguments of `conf/data/windows.yaml` have their names, defaults and checks; docs/configuration.md
    describes them. Raises UserError, one line, for a value that is invalid.

    Args:
        book: `grimms`, `democracy` or `don_quijote`; or `path`, any UTF-8 text.
        root, verify, strip_license: where the files of the three books lie; see docs/corpora.md.
        steps_per_epoch: optimizer steps after which Lightning ends an epoch; `trainer.val_every` of runs.
        seed: random windows follow from it and the step.
        prompts: `trainer.predict` continues these texts.
    """

    task = "book"
    options: BookDataOptions
    test_hint = "choose test_fraction above 0"

    def __init__(
        self,
        batch_size: int = 64,
        *,
        seq_len: int = 30,
        windows: Literal["random", "contiguous"] = "random",
        dev_fraction: float = 0.1,
        test_fraction: float = 0.0,
        min_freq: int = 1,
        oov: Literal["never", "singletons"] = "never",
        book: str = "grimms",
        path: str | None = None,
        root: str | None = None,
        verify: bool = True,
        strip_license: bool = True,
        steps_per_epoch: int = 500,
        seed: int = 0,
        prompts: Sequence[str] = ("The ",),
    ) -> None:
        super().__init__()
        prompts = list(prompts)
        self.save_hyperparameters(logger=False)
        self.options = self.checked_options(BookDataOptions)
        files = self.checked_options(BookFileOptions)
        self._source = BookSource(book, files.path, files.root, files.verify, files.strip_license)
        self.steps_per_epoch, self.seed, self.prompts = steps_per_epoch, seed, prompts

    def find_corpus(self) -> Book:
        """Return the book, read or downloaded."""
        return find_book(self._source)

    def encode(self) -> EncodedText:
        options = self.options
        return encode_book(
            self.find_corpus(),
            options.seq_len,
            options.dev_fraction,
            options.min_freq,
            options.test_fraction,
        )

    def make_batches(self, encoded: EncodedText) -> StepwiseBatches:
        return book_batches(encoded, self.options, self.steps_per_epoch, self.seed)

    def beginnings(self) -> Sequence[str]:
        return self.prompts
