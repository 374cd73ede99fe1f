"""Small models and vocabularies with random tones and rhymes, and a check of poems that uses none of our code."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from tangsweep.batches.encoded_text import EncodedSequences
from tangsweep.corpora.vocabulary import BOS, EOS, SPECIAL_TOKENS, Vocabulary
from tangsweep.generation.constraints import PoemSpec
from tangsweep.generation.poem import GeneratedPoem
from tangsweep.inits import initialize, normal
from tangsweep.language_model import LanguageModel, build_language_model
from tangsweep.prosody.lookup import LearnedProsody
from tangsweep.prosody.pattern import TonePattern, regulated_patterns

CHARACTERS = "日紅山夜湖海月水風花春夏秋冬"


def model(vocabulary: Vocabulary, seed: int = 0, hidden: int = 7) -> LanguageModel:
    """Return a model with random weights, N(0, 1), so that it strongly prefers some characters."""
    built = build_language_model(
        {"name": "lstm"},
        {"embed_size": 5, "hidden_size": hidden, "layers": 2, "dropout": 0.5},
        len(vocabulary),
    )
    initialize(built, normal, 0.0, seed)
    return built


def vocabulary(characters: str = CHARACTERS, marks: str = "，。？□[1") -> Vocabulary:
    return Vocabulary([*SPECIAL_TOKENS, *characters, *marks])


def training_sequences(vocabulary: Vocabulary, *texts: str) -> EncodedSequences:
    """Return texts encoded as a run encodes its training poems."""
    rows = [[BOS, *vocabulary.encode(text), EOS] for text in texts]
    return EncodedSequences(np.concatenate(rows), np.cumsum([0, *map(len, rows)]))


def random_prosody(characters: str, seed: int, groups: int = 3) -> LearnedProsody:
    """Return tones and rhymes drawn at random; some characters have neither."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(len(characters), 2, generator=generator).tolist()
    tones = {c: "平仄平仄○"[int(t * 5)] for c, (t, _) in zip(characters, draws, strict=True) if t < 0.97}
    rhymes = {c: str(int(r * groups / 0.9)) for c, (_, r) in zip(characters, draws, strict=True) if r < 0.9}
    return LearnedProsody(tones, rhymes)


def satisfies(poem: GeneratedPoem, spec: PoemSpec, prosody: LearnedProsody) -> bool:
    """Return whether a poem satisfies the specification, judged by its text alone."""
    lines = [line.rstrip("，。") for line in poem.lines]
    if [len(line) for line in lines] != [spec.form.chars] * spec.form.lines:
        return False
    if not set("".join(lines)) <= set(CHARACTERS):
        return False
    if any(
        line[-1] != ("。" if n % 2 or n == spec.form.lines - 1 else "，") for n, line in enumerate(poem.lines)
    ):
        return False
    whole = "".join(lines)
    patterns = regulated_patterns(spec.form, spec.tones) if spec.tones else [None]
    return any(_satisfies(whole, lines, pattern, spec, prosody) for pattern in patterns)


def _satisfies(
    whole: str, lines: Sequence[str], pattern: TonePattern | None, spec: PoemSpec, prosody: LearnedProsody
) -> bool:
    if pattern is not None:
        for character, need in zip(whole, pattern.tones, strict=True):
            if need != "中" and prosody.tones.get(character) not in (need, "○"):
                return False
    if spec.rhyme is None:
        return True
    rhymed = pattern.rhymed if pattern is not None else range(1, spec.form.lines, 2)
    ends = [lines[n][-1] for n in rhymed]
    groups = {prosody.rhymes.get(end) for end in ends} | (
        {prosody.rhymes[spec.rhyme]} if spec.rhyme else set()
    )
    return len(groups) <= 1 and None not in groups and len(set(ends)) == len(ends)


def is_possible(spec: PoemSpec, prosody: LearnedProsody, characters: str, forced: dict[int, str]) -> bool:
    """Return whether any poem at all satisfies the specification, by trying each pattern and group."""
    for pattern in regulated_patterns(spec.form, spec.tones) if spec.tones else [None]:
        needs = pattern.tones if pattern is not None else "中" * spec.form.positions
        fitting = [
            {c for c in characters if need == "中" or prosody.tones.get(c) in (need, "○")} for need in needs
        ]
        columns = [fits & {forced[p]} if p in forced else fits for p, fits in enumerate(fitting)]
        if not all(columns):
            continue
        if spec.rhyme is None:
            return True
        lines = pattern.rhymed if pattern is not None else range(1, spec.form.lines, 2)
        ends = [columns[(n + 1) * spec.form.chars - 1] for n in lines]
        allowed_groups = [prosody.rhymes[spec.rhyme]] if spec.rhyme else sorted(set(prosody.rhymes.values()))
        for group in allowed_groups:
            ends_of_group = [sorted(c for c in end if prosody.rhymes.get(c) == group) for end in ends]
            if any(len(set(chosen)) == len(chosen) for chosen in itertools.product(*ends_of_group)):
                return True
    return False
