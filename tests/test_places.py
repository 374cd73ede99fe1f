from pathlib import Path

import pytest

from tangsweep import places


def test_relative_paths_count_from_home_not_from_the_working_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert places.outputs() == home.resolve() / "outputs"
    assert places.anchored("/absolute") == Path("/absolute")
    monkeypatch.delenv("TANGSWEEP_HOME")
    assert places.data() == places.REPOSITORY / "data"
    assert (places.REPOSITORY / "pyproject.toml").exists()
