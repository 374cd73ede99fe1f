"""What a task is: the seam between the machinery of runs and what they train on.

`corpus.task` chooses a task by its name in tasks/registry.py. Importing a task imports no torch: what needs
it is imported when `batches` or `callbacks` is called.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from tangsweep.batches.encoded_text import EncodedCorpus
from tangsweep.config.data_options import CorpusOptions, DataOptions
from tangsweep.config.options import format_value
from tangsweep.config.run_config import RunConfig
from tangsweep.errors import UserError
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.mirror import LogTable
from tangsweep.runs.record import Record

if TYPE_CHECKING:  # torch and Lightning take seconds to import
    from pytorch_lightning import Callback

    from tangsweep.batches.batch import RunBatches
    from tangsweep.language_model import LanguageModel


class Corpus(Protocol):
    """The text or the rule that a run learns, with the names that its record gives it."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def verified(self) -> bool: ...
    @property
    def fallback(self) -> str: ...  # why the bundled sample stands in; else empty


CorpusT = TypeVar("CorpusT", bound=Corpus)
EncodedT = TypeVar("EncodedT", bound=EncodedCorpus)
ConfigT = TypeVar("ConfigT", bound=RunConfig[Any, Any])


class Task(ABC, Generic[CorpusT, EncodedT, ConfigT]):
    """One object a task; it keeps nothing between calls."""

    corpus_options: ClassVar[type[CorpusOptions]]
    data_options: ClassVar[type[DataOptions]]
    data_file: ClassVar[str]  # the file of conf/data/ that goes with it
    inputs: ClassVar[tuple[str, ...]]  # values of `model.input` that it takes

    def check(self, config: ConfigT) -> None:
        """Raise UserError for a combination of values that this task does not take."""
        self.check_model_input(config)
        if config.trainer.val_every is None:
            raise UserError(
                f"trainer.val_every={format_value(None)} is invalid: it must be a whole number of at least 1"
            )

    def check_model_input(self, config: ConfigT) -> None:
        """Raise UserError where the task cannot feed the model's input layer."""
        if config.model.input not in self.inputs:
            raise UserError(
                f"model.input={config.model.input} is invalid: it must be {' or '.join(self.inputs)} "
                f"with corpus.task={config.corpus.task}"
            )

    def align(self, configs: Sequence[ConfigT]) -> list[ConfigT]:
        """Return the configs of a sweep with what its runs must share, such as a test set."""
        return list(configs)

    @abstractmethod
    def find_corpora(self, configs: Sequence[ConfigT]) -> list[CorpusT]:
        """Return a corpus for each config of a sweep; each source is read once. Raises UserError."""

    def download_extras(self, configs: Sequence[ConfigT], corpora: Sequence[CorpusT]) -> None:
        """Download what these runs need beside their corpora, once and before the first one starts."""

    @abstractmethod
    def encode(self, corpus: CorpusT, config: ConfigT) -> EncodedT:
        """Encode the corpus. Raises UserError where nothing would be left to train or score."""

    @abstractmethod
    def describe_corpus(self, corpus: CorpusT, encoded: EncodedT, config: ConfigT) -> str:
        """Describe in a few lines, for the terminal, what the corpus holds."""

    @abstractmethod
    def batches(self, encoded: EncodedT, config: ConfigT) -> "RunBatches":
        """Return the batches that train and score a model of this run."""

    def callbacks(
        self, encoded: EncodedT, config: ConfigT, folder: RunFolder, log_table: LogTable
    ) -> "list[Callback]":
        """Return Lightning callbacks of the task's own."""
        return []

    def write_outputs(
        self,
        model: "LanguageModel",
        encoded: EncodedT,
        config: ConfigT,
        folder: RunFolder,
        log_table: LogTable,
        record: Record,
    ) -> None:
        """Write what a run leaves beside scores, with the best epoch's weights: files, fields of `record`."""


AnyTask = Task[Any, Any, Any]
