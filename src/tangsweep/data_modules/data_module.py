"""The LightningDataModule of a language model; a subclass a corpus has the corpus's options as arguments."""

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

import pytorch_lightning as L
from torch.utils.data import DataLoader

from tangsweep.batches.batch import Batch, BatchSequence, RunBatches
from tangsweep.batches.encoded_text import EncodedCorpus
from tangsweep.config.options import Options, validate_group
from tangsweep.data_modules.loader import evaluation_loader, item_loader, training_loader
from tangsweep.errors import UserError

EncodedT = TypeVar("EncodedT", bound=EncodedCorpus)
OptionsT = TypeVar("OptionsT", bound=Options)


class LanguageDataModule(L.LightningDataModule, Generic[EncodedT]):
    """The batches that train and score a language model.

    A subclass says how its corpus is encoded (`encode`) and batched (`make_batches`). Without a subclass both
    are passed: so do runs of `src/train.py`, whose sweep has read and encoded the corpus already.

    `setup` may be called before `fit`: a model needs to know `tokens` and `inputs`.
    """

    task: ClassVar[str] = ""  # the task's name in tasks/registry.py

    def __init__(self, encoded: EncodedT | None = None, batches: RunBatches | None = None) -> None:
        super().__init__()
        self._encoded, self._batches = encoded, batches
        # Batches are gathered from tensors in memory: worker processes would only slow that down.
        warnings.filterwarnings("ignore", message=".*_dataloader' does not have many workers")

    def checked_options(self, group: type[OptionsT]) -> OptionsT:
        """Return the saved arguments that belong to a group. Raises UserError for the first bad one."""
        values = {key: self.hparams[key] for key in group.model_fields}
        return validate_group(group, values, type(self).__name__)

    def encode(self) -> EncodedT:
        """Find or download the corpus, verify it, split and encode it; the result is cached on disk."""
        raise NotImplementedError(f"{type(self).__name__} has no encode(), and no encoded corpus was passed")

    def make_batches(self, encoded: EncodedT) -> RunBatches:
        """Return the batches of the encoded corpus."""
        raise NotImplementedError(f"{type(self).__name__} has no make_batches(), and no batches were passed")

    def prepare_data(self) -> None:
        """Fill the caches on disk. Raises UserError where the corpus cannot be had."""
        if self._encoded is None:
            self.encode()

    def setup(self, stage: str | None = None) -> None:
        """Load the encoded corpus and batch it, once; `stage` makes no difference."""
        if self._encoded is None:
            self._encoded = self.encode()
        if self._batches is None:
            self._batches = self.make_batches(self._encoded)

    @property
    def encoded(self) -> EncodedT:
        """The encoded corpus. Raises RuntimeError before `setup`."""
        if self._encoded is None:
            raise RuntimeError(f"call setup() of this {type(self).__name__} first")
        return self._encoded

    @property
    def batches(self) -> RunBatches:
        """The batches. Raises RuntimeError before `setup`."""
        if self._batches is None:
            raise RuntimeError(f"call setup() of this {type(self).__name__} first")
        return self._batches

    @property
    def tokens(self) -> Sequence[str]:
        """What the model predicts, by id."""
        return self.encoded.tokens

    @property
    def inputs(self) -> int:
        """How many ids the model reads, or how wide its input vectors are."""
        return self.encoded.inputs

    @property
    def pad_id(self) -> int | None:
        """The target id of padding, if padding is scored; else None."""
        return self.batches.pad

    def train_dataloader(self) -> DataLoader[Batch]:
        return training_loader(self.batches)

    def val_dataloader(self) -> DataLoader[Batch]:
        return evaluation_loader(self.batches.dev_batches())

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the test set. Raises UserError where the split leaves none."""
        batches = self.test_batches()
        if batches is None:
            raise UserError(f"{type(self).__name__} has no test set; {self.test_hint}")
        return evaluation_loader(batches)

    test_hint: ClassVar[str] = "trainer.validate scores the development set"

    def test_batches(self) -> BatchSequence | None:
        """Return the batches of the test set; None where there is none."""
        return None

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the beginnings of texts to write; the development set where the corpus is no text."""
        beginnings = self.beginnings()
        return item_loader(beginnings) if beginnings else self.val_dataloader()

    def beginnings(self) -> Sequence[str]:
        """Return what `trainer.predict` begins texts with; nothing where the corpus is no text."""
        return ()

    def state_dict(self) -> dict[str, Any]:
        """Return the fingerprint of the vocabulary, so that no checkpoint meets other ids unnoticed."""
        return {"vocabulary_fingerprint": self.encoded.facts.vocabulary_fingerprint}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raise UserError where a checkpoint was trained with another vocabulary."""
        if state_dict["vocabulary_fingerprint"] != self.encoded.facts.vocabulary_fingerprint:
            raise UserError(
                f"the checkpoint was trained with another vocabulary than this {type(self).__name__} has: "
                "use the same corpus, split and data options"
            )
