"""What is known of characters, whoever knows it."""

from collections.abc import Hashable
from typing import Protocol


class Prosody(Protocol):
    """None is what nothing is known of."""

    @property
    def source(self) -> str: ...  # learned or modern: what records and messages call it
    @property
    def why(self) -> str: ...  # of modern: why the Tang's own could not be had

    def tone(self, character: str) -> str | None: ...  # 平, 仄 or ○
    def rhyme(self, character: str) -> Hashable | None: ...  # equal for characters that rhyme
