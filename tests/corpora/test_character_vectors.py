import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tangsweep.corpora import character_vectors
from tangsweep.errors import UserError


def test_counts_and_information_by_hand() -> None:
    counts = character_vectors._count_cooccurrences(["甲乙甲", "丙"], ["甲", "乙", "丙"])
    assert counts.tolist() == [[2, 2, 0], [2, 0, 0], [0, 0, 0]]
    information = character_vectors._ppmi(counts)
    assert information[0, 1] == pytest.approx(np.log(2 * 6 / (4 * 2)))
    assert information[0, 0] == pytest.approx(max(0, np.log(2 * 6 / 16)))
    assert not information[2].any()


def test_truncated_svd_equals_the_full_one() -> None:
    random = np.random.default_rng(0)
    factors = random.standard_normal((80, 6)) * [9, 7, 5, 3, 2, 1]
    matrix = (factors @ factors.T).astype(np.float32)
    left, values = character_vectors._truncated_svd(matrix, 4, seed=0)
    full_left, full_values, _ = np.linalg.svd(matrix)
    np.testing.assert_allclose(values, full_values[:4], rtol=1e-4)
    np.testing.assert_allclose(np.abs(np.sum(left * full_left[:, :4], 0)), 1, rtol=1e-3)


def test_characters_with_the_same_neighbours_are_similar() -> None:
    random = np.random.default_rng(1)
    filler = [chr(0x5000 + i) for i in range(60)]
    texts = []
    for _ in range(3_000):
        companion, other = ("日", "月") if random.random() < 0.5 else ("魚", "鳥")
        texts.append(
            companion + "".join(random.choice(filler[:30] if companion == "日" else filler[30:], 3)) + other
        )
    characters, vectors = character_vectors.compute_character_vectors(texts, 8)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    row = {c: unit[i] for i, c in enumerate(characters)}
    assert row["日"] @ row["月"] > 0.9 > 0.5 > row["日"] @ row["魚"]
    assert vectors.std() == pytest.approx(1, rel=1e-3)


def test_too_few_characters() -> None:
    with pytest.raises(UserError, match="lower --width"):
        character_vectors.compute_character_vectors(["甲乙丙"], 8)


def test_copies_of_skipped_poems_are_left_out_whatever_their_punctuation() -> None:
    texts = [
        "春眠不覺曉，處處聞啼鳥。",
        "白日依山盡。",
        "春眠不覺曉。處處聞啼鳥！",
        "黃河入海流。",
        "白日依山盡",
    ]
    assert character_vectors.exclude_known_texts(texts, 2) == ["黃河入海流。"]


def test_the_command_writes_a_file_that_a_run_can_load(home: Path) -> None:
    command = [sys.executable, "-m", "tangsweep.corpora.character_vectors", "--corpus", "sample"]
    process = subprocess.run(
        [*command, "--skip", "20", "--width", "8"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    header, *rows = (home / "data" / "vectors.txt").read_text(encoding="utf-8").splitlines()
    assert header == f"{len(rows)} 8"
    assert all(len(row.split()) == 9 for row in rows)
    assert "of 100 poems, without 0 that are among the first 20 as well" in process.stdout
    source = home / "data" / "vectors.txt.source.json"
    assert json.loads(source.read_text(encoding="utf-8")) == {"corpus": "sample", "skip": 20}
    short = subprocess.run([*command, "--skip", "119"], capture_output=True, text=True, check=False)
    assert (short.returncode, short.stderr.splitlines()[-1].count("lower --width")) == (2, 1)
