"""What tasks share whose data are drawn by a rule, not read from a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import LogTable
from tangsweep.tasks.task import Config


@dataclass(frozen=True)
class Rule:
    """A corpus that is a rule; `fingerprint` changes with what it draws."""

    name: str
    fingerprint: str
    source: str = "drawn"
    verified: bool = True
    fallback: str = ""


class Drawn(NamedTuple):
    """What a model of such a task reads and predicts."""

    tokens: Sequence[str]
    inputs: int
    facts: Mapping[str, Any]


class WithoutText:
    """A task that does nothing while it trains and leaves nothing but scores."""

    def callbacks(self, encoded: Drawn, config: Config, folder: RunFolder, show: LogTable) -> list[Any]:
        return []

    def leave(
        self, model: Any, encoded: Drawn, config: Config, folder: RunFolder, show: LogTable
    ) -> dict[str, Any]:
        return {}
