"""What a corpus asks of a run: the seam between the machinery of runs and what they train on.

A task is chosen by `corpus.task`. Its methods take the resolved config, as those of
`training/assemble.py` do; what they call takes plain values. Nothing here imports torch before `data`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import LogTable

Config = Mapping[str, Any]


class Corpus(Protocol):
    """What was found, as records name it."""

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


class Encoded(Protocol):
    """What a run trains and is scored on."""

    @property
    def tokens(self) -> Sequence[str]: ...  # what the model predicts, by id
    @property
    def inputs(self) -> int: ...  # how many ids the model reads, or how wide its vectors are
    @property
    def facts(self) -> Mapping[str, Any]: ...  # for the record; with `baselines`


class Task(Protocol):
    """One object a task; it keeps nothing between calls."""

    def check(self, config: Config) -> None:
        """Raises UserError for a value that this task cannot take."""
        ...

    def resolve(self, configs: Sequence[Config]) -> list[Any]:
        """A Corpus for each config of a sweep, each source opened once. Raises UserError."""
        ...

    def encode(self, corpus: Any, config: Config) -> Any:
        """The corpus as an Encoded. Raises UserError where nothing would be left to train or score."""
        ...

    def found(self, corpus: Any, encoded: Any, config: Config) -> str:
        """A few lines on what the corpus holds, for the terminal."""
        ...

    def data(self, encoded: Any, config: Config) -> Any:
        """What trains and scores a model of this run."""
        ...

    def callbacks(self, encoded: Any, config: Config, folder: RunFolder, show: LogTable) -> list[Any]:
        """What the task does while a run trains."""
        ...

    def leave(
        self, model: Any, encoded: Any, config: Config, folder: RunFolder, show: LogTable
    ) -> Mapping[str, Any]:
        """What a run leaves of its own beside scores, made with the best epoch's weights.

        Files, and what is returned: more keys of its record.
        """
        ...
