from pathlib import Path

import pytest

from tangsweep.files import REPOSITORY, absolute_path, data_folder, outputs_folder


def test_relative_paths_count_from_home_not_from_the_working_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert outputs_folder() == home.resolve() / "outputs"
    assert absolute_path("/absolute") == Path("/absolute")
    monkeypatch.delenv("TANGSWEEP_HOME")
    assert data_folder() == REPOSITORY / "data"
    assert (REPOSITORY / "pyproject.toml").exists()
