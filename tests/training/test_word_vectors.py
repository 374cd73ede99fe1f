from pathlib import Path

import pytest
import torch

from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.training.word_vectors import load
from tests.conftest import SMALL

KNOWN = Vocabulary([*MARKS, "紅", "山", "水"])


def loaded(tmp_path: Path, text: str) -> tuple[torch.Tensor, tuple[int, int]]:
    (tmp_path / "v.txt").write_text(text, encoding="utf-8")
    embedding = torch.full((7, 2), 9.0)
    return embedding, load(tmp_path / "v.txt", KNOWN, embedding)


def test_rows_by_character_with_or_without_header(tmp_path: Path) -> None:
    for header in ("", "3 2\n"):
        embedding, coverage = loaded(tmp_path, f"{header}山 1 2\n外 3 4\n山水 5 6\n")
        assert embedding.tolist() == [[9, 9]] * 5 + [[1, 2], [9, 9]]
        assert coverage == (1, 3)


def test_simplified_files_are_converted_but_the_exact_character_wins(tmp_path: Path) -> None:
    assert loaded(tmp_path, "红 1 2\n")[0][4].tolist() == [1, 2]
    assert loaded(tmp_path, "紅 3 4\n红 1 2\n")[0][4].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("山 1 2 3\n", "line 1: 3 numbers for 山.*embed_size=3"),
        ("水 1 2\n山 1 x\n", "line 2: 山 is followed"),
    ],
)
def test_a_file_that_does_not_fit(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        loaded(tmp_path, text)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*v\.txt"):
        load(tmp_path / "v.txt", KNOWN, torch.zeros(7, 2))


def test_a_run_starts_from_them(train, home: Path, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    vectors = "山 " + " ".join(["0.5"] * 8)
    (home / "vectors.txt").write_text(f"{vectors}\n", encoding="utf-8")
    option = "model.pretrained_embeddings=vectors.txt"
    _, folder = train(
        option, "optimizer=sgd", "optimizer.lr=1e-9", base=(*SMALL, "logger=csv", "poems.starts='山'")
    )
    stored = torch.load(folder.best, weights_only=True)
    row = stored["state_dict"]["model.embedding.weight"][stored["tangsweep"]["tokens"].index("山")]
    torch.testing.assert_close(row, torch.full((8,), 0.5))
    assert "pretrained embeddings: 1 of" in capfd.readouterr().out
