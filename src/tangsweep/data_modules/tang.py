"""全唐诗, or the bundled sample of poems, as a LightningDataModule."""

from typing import Literal

from tangsweep.batches.encode import encode_poems
from tangsweep.batches.encoded_text import EncodedText
from tangsweep.batches.poems import PoemBatches
from tangsweep.batches.split import check_split_options
from tangsweep.config.data_options import PoemDataOptions, PoemFileOptions
from tangsweep.console import warn_of_bundled_sample
from tangsweep.corpora.tang import PoemCorpus, PoemSource, find_poems
from tangsweep.data_modules.data_module import LanguageDataModule
from tangsweep.errors import UserError


class TangDataModule(LanguageDataModule[EncodedText]):
    """Tang poems: read, split, cut into sequences of at most `max_chars`, encoded, padded and batched.

    The arguments of `conf/data/poems.yaml` have their names, defaults and checks; docs/configuration.md
    describes them. Raises UserError, one line, for a value that is invalid.

    Args:
        corpus: `tang` or `sample`, the 120 poems that come with the project.
        root, url, verify: where the files of 全唐诗 lie; see docs/corpora.md.
        seed: the order of the training sequences follows from it and the epoch.
        starts: `trainer.predict` composes a poem that begins with each of these characters.
    """

    task = "poems"
    options: PoemDataOptions
    test_hint = "choose test_poems above 0, and fewer poems where the corpus has none left"

    def __init__(
        self,
        batch_size: int = 1,
        *,
        poems: int | None = 100,
        duplicates: Literal["drop", "keep", "near"] = "drop",
        min_chars: int = 20,
        max_chars: int = 60,
        long: Literal["chunk", "truncate"] = "chunk",
        punctuation: Literal["keep", "drop"] = "keep",
        min_freq: int = 1,
        split: Literal["fraction", "fixed"] = "fraction",
        train_fraction: float = 0.8,
        train_poems: int | None = None,
        dev_poems: int | None = None,
        pool: int | None = None,
        split_seed: int | None = None,
        test_poems: int = 500,
        test_after: int | None = None,
        oov: Literal["never", "singletons"] = "never",
        pad: Literal["batch", "fixed"] = "batch",
        score_pads: bool = False,
        corpus: str = "tang",
        root: str | None = None,
        url: str | None = None,
        verify: bool = True,
        seed: int = 0,
        starts: str = "日红山夜湖海月",
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.options = self.checked_options(PoemDataOptions)
        check_split_options(self.options)
        files = self.checked_options(PoemFileOptions)
        if corpus not in ("tang", "sample"):
            raise UserError(f"corpus={corpus!r} is invalid: it must be tang or sample")
        self._source = PoemSource(corpus, files.root, files.url, files.verify)
        self.seed, self.starts = seed, starts
        self._corpus: PoemCorpus | None = None

    def find_corpus(self) -> PoemCorpus:
        """Return the poems, which are read or downloaded once."""
        if self._corpus is None:
            options = self.options
            self._corpus = find_poems(self._source, options.poems_to_read, options.later_poems)
            if self._corpus.fallback:
                warn_of_bundled_sample(self._corpus.fallback)
        return self._corpus

    def encode(self) -> EncodedText:
        return encode_poems(self.find_corpus(), self.options)

    def make_batches(self, encoded: EncodedText) -> PoemBatches:
        return PoemBatches(encoded, self.options, self.seed)

    def beginnings(self) -> str:
        return self.starts
