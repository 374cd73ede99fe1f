"""Compute character vectors from poems that no run uses, and write them as a word-vector text file.

    python -m tangsweep.corpora.character_vectors --skip 2000 --width 64 --out data/vectors.txt

The method is positive pointwise mutual information (PPMI) of characters within a window, factorized by a
truncated singular value decomposition (Levy and Goldberg 2014; randomized as in Halko, Martinsson and Tropp
2011). `sweeps=embeddings` compares runs that start from such vectors with runs that start at random.

Poems that occur among the first `--skip` as well are left out, whatever their punctuation: the corpus holds
some poems twice, and runs on the first poems are scored on a part of them, and tested on poems behind them.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tangsweep.command_line import ArgumentParser, run_command
from tangsweep.corpora.near_duplicates import letters_of
from tangsweep.corpora.pretrained_embeddings import VectorSource, write_vector_source
from tangsweep.corpora.tang import PoemSource, find_poems
from tangsweep.errors import UserError
from tangsweep.files import absolute_path, atomic_write, display_path

WINDOW = 4  # characters on either side
MIN_COUNT = 5
OVERSAMPLING, POWER_ITERATIONS = 16, 4

Matrix = NDArray[np.float32]


def compute_character_vectors(texts: Sequence[str], width: int, seed: int = 0) -> tuple[list[str], Matrix]:
    """Return the characters that occur at least MIN_COUNT times, and their (characters, width) vectors.

    Vectors are √singular value · left singular vector, scaled to a variance of 1 over all entries, as
    a random embedding has. Raises UserError if there are too few characters for this width.
    """
    counts = Counter("".join(texts))
    characters = [c for c, n in counts.most_common() if n >= MIN_COUNT]
    if len(characters) <= width + OVERSAMPLING:
        raise UserError(
            f"{len(characters)} characters are too few for vectors of width {width}: lower --width or --skip"
        )
    left, values = _truncated_svd(_ppmi(_count_cooccurrences(texts, characters)), width, seed)
    vectors = left * np.sqrt(values)
    return characters, vectors / vectors.std()


def exclude_known_texts(texts: Sequence[str], skip: int) -> list[str]:
    """Return the texts after the first `skip` that are no copy of one of these, punctuation aside."""
    skipped = {letters_of(text) for text in texts[:skip]}
    return [text for text in texts[skip:] if letters_of(text) not in skipped]


def _count_cooccurrences(texts: Sequence[str], characters: Sequence[str]) -> Matrix:
    """Return (n, n), symmetric: how often two characters are at most WINDOW apart in a text."""
    ids = {character: i for i, character in enumerate(characters)}
    gap = [-1] * WINDOW  # no pair reaches over the end of a text
    stream = np.array([i for text in texts for i in [*(ids.get(c, -1) for c in text), *gap]])
    counts = np.zeros(len(characters) ** 2, dtype=np.float32)
    for distance in range(1, WINDOW + 1):
        a, b = stream[:-distance], stream[distance:]
        both = (a >= 0) & (b >= 0)
        counts += np.bincount(a[both] * len(characters) + b[both], minlength=counts.size)
    square = counts.reshape(len(characters), -1)
    return square + square.T


def _ppmi(counts: Matrix) -> Matrix:
    """Return max(0, ln(p(a, b) / (p(a) p(b)))), and 0 for pairs that never occur."""
    margins = counts.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(counts * counts.sum() / (margins @ margins.T))
    return np.where(counts > 0, np.maximum(information, 0), 0).astype(np.float32)


def _truncated_svd(matrix: Matrix, width: int, seed: int) -> tuple[Matrix, Matrix]:
    """Return the left singular vectors (n, width) and the singular values (width,) of a symmetric matrix.

    They belong to the largest singular values.
    """
    random = np.random.default_rng(seed)
    basis = random.standard_normal((len(matrix), width + OVERSAMPLING)).astype(np.float32)
    for _ in range(POWER_ITERATIONS):
        basis, _ = np.linalg.qr(matrix @ basis)
    left, values, _ = np.linalg.svd(basis.T @ matrix, full_matrices=False)
    return (basis @ left)[:, :width], values[:width]


def main() -> None:
    parser = ArgumentParser(description="Compute character vectors from poems that no run uses.")
    parser.add_argument("--corpus", choices=("tang", "sample"), default="tang")
    parser.add_argument("--skip", type=int, default=2000, help="leave out the first so many poems (2000)")
    parser.add_argument("--width", type=int, default=64, help="numbers a vector (64)")
    parser.add_argument("--out", default="data/vectors.txt")
    options = parser.parse_args()
    if options.skip < 0 or options.width < 1:
        raise UserError("--skip must be at least 0, and --width at least 1")
    corpus = find_poems(PoemSource(options.corpus), None)
    if corpus.fallback:
        raise UserError(f"the network was not reached ({corpus.fallback}): name a copy in TANGSWEEP_DATA")
    texts = exclude_known_texts([poem.text for poem in corpus.poems], options.skip)
    characters, vectors = compute_character_vectors(texts, options.width)
    lines = (f"{c} {' '.join(f'{x:.5f}' for x in v)}" for c, v in zip(characters, vectors, strict=True))
    path = absolute_path(options.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, f"{len(characters)} {options.width}\n" + "\n".join(lines) + "\n")
    write_vector_source(path, VectorSource(corpus.name, options.skip))
    twice = len(corpus.poems) - options.skip - len(texts)
    print(
        f"{display_path(path)}: {len(characters):,} characters, {options.width} numbers each; of "
        f"{len(texts):,} poems, without {twice:,} that are among the first {options.skip:,} as well"
    )


if __name__ == "__main__":
    run_command(main)
