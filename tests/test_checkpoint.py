"""Loading a model: files that are missing, damaged, malicious or of another model are one-line errors."""

from pathlib import Path

import pytest
import torch

from tangsweep.checkpoint import load_model
from tangsweep.errors import UserError


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.ckpt does not exist"):
        load_model(tmp_path / "none.ckpt")
    with pytest.raises(UserError, match="holds no run with a best checkpoint"):
        load_model(tmp_path)
    (tmp_path / "one" / "checkpoints").mkdir(parents=True)
    with pytest.raises(UserError, match="is a sweep with the runs one: name the folder of a run"):
        load_model(tmp_path)


class RunsCode:
    def __reduce__(self) -> object:
        return print, ("code ran",)


@pytest.mark.parametrize("content", [b"", b"text", None, "dictionary", "code"])
def test_a_file_that_is_not_a_checkpoint(
    tmp_path: Path, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"code": RunsCode(), "dictionary": {"state_dict": {}}}.get(str(content), [1]), path)
    with pytest.raises(UserError, match=r"x\.ckpt is not a (readable )?checkpoint"):
        load_model(path)
    assert capsys.readouterr().out == ""


def test_a_checkpoint_of_another_vocabulary_or_cell(train, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    stored = torch.load(train().folder.best, weights_only=True)
    stored["tangsweep"]["tokens"].append("龍")
    torch.save(stored, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="weights for another model than its vocabulary"):
        load_model(tmp_path / "other.ckpt")
    stored["tangsweep"]["config"]["cell"] = {"name": "os.system"}
    torch.save(stored, tmp_path / "cell.ckpt")
    with pytest.raises(UserError, match=r"os\.system does not exist"):
        load_model(tmp_path / "cell.ckpt")
