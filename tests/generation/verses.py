"""Small models, small vocabularies with tones and rhymes made up, and a check that knows no code of ours."""

import itertools
from collections.abc import Sequence

import torch

from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.generation.constraints import Wish
from tangsweep.generation.poem import Poem
from tangsweep.inits import initialize, normal
from tangsweep.language_model import LanguageModel, build
from tangsweep.prosody.lookup import Learned
from tangsweep.prosody.pattern import regulated

CHARACTERS = "日紅山夜湖海月水風花春夏秋冬"


def model(vocabulary: Vocabulary, seed: int = 0, hidden: int = 7) -> LanguageModel:
    """Random weights; N(0, 1), so that it prefers some characters much."""
    made = build(
        {"name": "lstm"},
        {"embed_size": 5, "hidden_size": hidden, "layers": 2, "dropout": 0.5},
        len(vocabulary),
    )
    initialize(made, normal, 0.0, seed)
    return made


def vocabulary(characters: str = CHARACTERS, marks: str = "，。？□[1") -> Vocabulary:
    return Vocabulary([*MARKS, *characters, *marks])


def made_up(characters: str, seed: int, groups: int = 3) -> Learned:
    """Tones and rhymes drawn at random, some characters with neither."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(len(characters), 2, generator=generator).tolist()
    tones = {c: "平仄平仄○"[int(t * 5)] for c, (t, _) in zip(characters, draws, strict=True) if t < 0.97}
    rhymes = {c: str(int(r * groups / 0.9)) for c, (_, r) in zip(characters, draws, strict=True) if r < 0.9}
    return Learned(tones, rhymes)


def keeps(poem: Poem, wish: Wish, known: Learned) -> bool:
    """Whether a poem is what was wished for, by its text alone."""
    lines = [line.rstrip("，。") for line in poem.lines]
    if [len(line) for line in lines] != [wish.form.chars] * wish.form.lines:
        return False
    if not set("".join(lines)) <= set(CHARACTERS):
        return False
    if any(
        line[-1] != ("。" if n % 2 or n == wish.form.lines - 1 else "，") for n, line in enumerate(poem.lines)
    ):
        return False
    whole = "".join(lines)
    patterns = regulated(wish.form, wish.tones) if wish.tones else [None]
    return any(_keeps(whole, lines, pattern, wish, known) for pattern in patterns)


def _keeps(whole: str, lines: Sequence[str], pattern, wish: Wish, known: Learned) -> bool:  # type: ignore[no-untyped-def]
    if pattern is not None:
        for character, need in zip(whole, pattern.tones, strict=True):
            if need != "中" and known.tones.get(character) not in (need, "○"):
                return False
    if wish.rhyme is None:
        return True
    rhymed = pattern.rhymed if pattern is not None else range(1, wish.form.lines, 2)
    ends = [lines[n][-1] for n in rhymed]
    groups = {known.rhymes.get(end) for end in ends} | ({known.rhymes[wish.rhyme]} if wish.rhyme else set())
    return len(groups) <= 1 and None not in groups and len(set(ends)) == len(ends)


def possible(wish: Wish, known: Learned, characters: str, forced: dict[int, str]) -> bool:
    """Whether any poem at all keeps the wish, tried one pattern and group after another."""
    for pattern in regulated(wish.form, wish.tones) if wish.tones else [None]:
        needs = pattern.tones if pattern is not None else "中" * wish.form.positions
        fitting = [
            {c for c in characters if need == "中" or known.tones.get(c) in (need, "○")} for need in needs
        ]
        columns = [fits & {forced[p]} if p in forced else fits for p, fits in enumerate(fitting)]
        if not all(columns):
            continue
        if wish.rhyme is None:
            return True
        lines = pattern.rhymed if pattern is not None else range(1, wish.form.lines, 2)
        ends = [columns[(n + 1) * wish.form.chars - 1] for n in lines]
        wanted = [known.rhymes[wish.rhyme]] if wish.rhyme else sorted(set(known.rhymes.values()))
        for group in wanted:
            of_group = [sorted(c for c in end if known.rhymes.get(c) == group) for end in ends]
            if any(len(set(chosen)) == len(chosen) for chosen in itertools.product(*of_group)):
                return True
    return False
