"""The interface through which poems are composed and judged: tones and rhymes of characters."""

from collections.abc import Hashable
from typing import Protocol


class Prosody(Protocol):
    """Protocol for tone and rhyme lookup; None for unknown characters."""

    @property
    def source(self) -> str: ...  # learned or modern, for records and messages
    @property
    def fallback_reason(self) -> str: ...  # why modern readings replace the learned tables; else empty

    def tone(self, character: str) -> str | None: ...  # 平, 仄 or ○
    def rhyme(self, character: str) -> Hashable | None: ...  # equal for characters that rhyme
