from pathlib import Path

import pytest
import torch

from tangsweep.corpora.pretrained_embeddings import (
    VectorSource,
    check_embedding_file,
    check_vector_source,
    read_embeddings,
    write_vector_source,
)
from tangsweep.corpora.vocabulary import SPECIAL_TOKENS, Vocabulary
from tangsweep.errors import UserError
from tests.conftest import SMALL, configured, prepare

VOCABULARY = Vocabulary([*SPECIAL_TOKENS, "紅", "山", "水"])


def read(tmp_path: Path, text: str) -> dict[str, list[float]]:
    (tmp_path / "v.txt").write_text(text, encoding="utf-8")
    return read_embeddings(tmp_path / "v.txt", VOCABULARY, 2)


def test_rows_by_character_with_or_without_header(tmp_path: Path) -> None:
    for header in ("", "3 2\n"):
        assert read(tmp_path, f"{header}山 1 2\n外 3 4\n山水 5 6\n\n") == {"山": [1, 2]}


def test_simplified_files_are_converted_but_the_exact_character_wins(tmp_path: Path) -> None:
    assert read(tmp_path, "红 1 2\n") == {"紅": [1, 2]}
    assert read(tmp_path, "紅 3 4\n红 1 2\n") == {"紅": [3, 4]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("山 1 2 3\n", "line 1: 山 has 3 numbers.*embed_size=3"),
        ("水 1 2\n山 1 x\n", "line 2: 山 is followed by a value that is not a finite number"),
        ("山 1 nan\n", "not a finite number"),
    ],
)
def test_a_file_with_unusable_vectors(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_a_vector_of_one_number_is_not_a_header(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("山 1\n水 2\n", encoding="utf-8")
    assert read_embeddings(tmp_path / "v.txt", VOCABULARY, 1) == {"山": [1], "水": [2]}


def test_checked_before_a_run_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"v\.txt does not exist"):
        check_embedding_file(tmp_path / "v.txt", 2)
    (tmp_path / "v.txt").write_text("2 3\n山水 1 2\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds no vector of a single character"):
        check_embedding_file(tmp_path / "v.txt", 2)
    (tmp_path / "v.txt").write_text("山 1 2 3\n", encoding="utf-8")
    with pytest.raises(UserError, match="embed_size=3"):
        check_embedding_file(tmp_path / "v.txt", 2)
    (tmp_path / "v.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot read"):
        check_embedding_file(tmp_path / "v.txt", 2)


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


def test_vectors_of_poems_that_a_run_reads_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    check_vector_source(path, "tang", None)  # of unknown source
    write_vector_source(path, VectorSource("tang", 1000))
    check_vector_source(path, "tang", 1000)
    check_vector_source(path, "sample", None)
    for poems in (1001, None):
        with pytest.raises(
            UserError, match="was made of all poems after the first 1,000, and this run reads"
        ):
            check_vector_source(path, "tang", poems)


def test_a_run_says_so_before_it_starts(home: Path) -> None:
    (home / "v.txt").write_text("山 1 2 3 4 5 6 7 8\n", encoding="utf-8")
    write_vector_source(home / "v.txt", VectorSource("sample", 12))  # those that train, not the test poems
    with pytest.raises(
        UserError,
        match="reads the first 1,000 poems, some of them for its test set: make vectors with a larger",
    ):
        prepare(configured(*SMALL, "model.pretrained_embeddings=v.txt"))
