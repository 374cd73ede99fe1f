"""The folder of a sweep that tests write."""

from pathlib import Path

import pytest


@pytest.fixture
def sweep(home: Path) -> Path:
    return home / "outputs" / "s"
