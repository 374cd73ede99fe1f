"""Measures the quality of a model's poems in figures by which runs can be compared."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from tangsweep.batches.encoded_text import EncodedSequences
from tangsweep.corpora.vocabulary import BOS, EOS, SPECIAL_TOKENS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation.constraints import PoemSpec
from tangsweep.generation.decoding import Decoding, choose_ids, log_probabilities
from tangsweep.generation.poem import GeneratedPoem
from tangsweep.generation.poem_composer import PoemComposer
from tangsweep.generation.poem_start import PoemStart
from tangsweep.language_model import LanguageModel
from tangsweep.prosody.conformity import RuleCount, conformity_shares
from tangsweep.prosody.form import LINE_END, REGULAR_FORMS
from tangsweep.prosody.protocol import Prosody
from tangsweep.randomness import derive_seed
from tangsweep.runs.record import Quality, QualityFigures

POEMS = 100  # a quarter of each regular form
TEMPERATURE = 0.8
SEED = 0  # whatever the run's seed: the same draws for every model
MAX_UNCONDITIONAL_LENGTH = 100  # characters; a poem of the longest form has 64 with its marks
REGULAR_LINE_LENGTHS = {form.chars for form in REGULAR_FORMS.values()}
Ids = Sequence[int] | np.ndarray
SEPARATOR = -1  # between texts, so that no run extends over the end of one


def measure_quality(composer: PoemComposer, prosody: Prosody, training: EncodedSequences) -> Quality:
    """Measure POEMS poems of the four regular forms, and POEMS texts without any constraint.

    `right_lines` is the share of `count_regular_lines` in the unconditional texts. `free` are the figures of
    poems of which only the form was requested, `constrained` those of poems with rhymes and tones too. If the
    vocabulary allows no such poem, the figures are None and `not_free` or `not_constrained` says why.
    """
    texts = write_unconditional_texts(composer.model, composer.vocabulary, POEMS, TEMPERATURE, SEED)
    quality = Quality(
        poems=POEMS,
        temperature=TEMPERATURE,
        prosody=prosody.source,
        right_lines=count_regular_lines(texts).share,
    )
    training_text = TrainingText.from_sequences(training, composer.vocabulary)
    composer = PoemComposer(composer.model, composer.vocabulary, prosody)

    def measure_poems(tones: str | None, rhyme: str | None) -> QualityFigures:
        return quality_figures(_compose(composer, tones, rhyme), prosody, composer.vocabulary, training_text)

    try:
        quality.free = measure_poems(None, None)
    except UserError as reason:
        quality.free, quality.not_free = None, str(reason)
    try:
        quality.constrained = measure_poems("any", "")
    except UserError as reason:
        quality.constrained, quality.not_constrained = None, str(reason)
    return quality


def _compose(composer: PoemComposer, tones: str | None, rhyme: str | None) -> list[GeneratedPoem]:
    starts = [PoemStart(f"quality {number}", {}) for number in range(POEMS // len(REGULAR_FORMS))]
    groups = [
        composer.compose(PoemSpec(form, tones, rhyme), starts, Decoding(TEMPERATURE), SEED)
        for form in REGULAR_FORMS.values()
    ]
    return [poem for form_groups in groups for [poem] in form_groups]


def quality_figures(
    poems: Sequence[GeneratedPoem], prosody: Prosody, vocabulary: Vocabulary, training_text: "TrainingText"
) -> QualityFigures:
    """Return the figures of `poems` together; shares are from 0 to 1.

    `rhyme` and `tones` are those of prosody/conformity.py; `rhyme_shuffled` and `tones_shuffled` are the same
    with each poem's characters in random order. `longest_copy` is how many characters in a row, without
    punctuation, occur in the training text too. `copied_line` is the share of poems with a line that is also
    a line there.
    """
    poem_lines = [poem.bare_lines for poem in poems]
    shuffled = [
        poem.form.split(_shuffle("".join(lines))) for poem, lines in zip(poems, poem_lines, strict=True)
    ]
    copies = longest_copies([vocabulary.encode("".join(lines)) for lines in poem_lines], training_text.texts)
    has_copied_line = [any(line in training_text.lines for line in lines) for lines in poem_lines]
    all_lines = [line for lines in poem_lines for line in lines]
    shares, shuffled_shares = conformity_shares(poem_lines, prosody), conformity_shares(shuffled, prosody)
    return QualityFigures(
        rhyme=shares["rhyme"],
        tones=shares["tones"],
        rhyme_shuffled=shuffled_shares["rhyme"],
        tones_shuffled=shuffled_shares["tones"],
        distinct_1=distinct_n(all_lines, 1),
        distinct_2=distinct_n(all_lines, 2),
        distinct_3=distinct_n(all_lines, 3),
        longest_copy=max(int(lengths.max()) for lengths in copies),
        copied_line=sum(has_copied_line) / len(has_copied_line),
    )


def _shuffle(text: str) -> str:
    """Return the same characters in another order, always the same one, for the figures of chance alone."""
    characters = list(text)
    random.Random(SEED).shuffle(characters)
    return "".join(characters)


def distinct_n(lines: Sequence[str], n: int) -> float:
    """Return the share of distinct n-grams among all n-grams of the lines (distinct-n, Li et al. 2016)."""
    ngrams = [line[first : first + n] for line in lines for first in range(len(line) - n + 1)]
    return len(set(ngrams)) / len(ngrams)


@torch.no_grad()
def write_unconditional_texts(
    model: LanguageModel, vocabulary: Vocabulary, count: int, temperature: float, seed: int
) -> list[str]:
    """Write texts of no given form or start, each up to <eos>, at most MAX_UNCONDITIONAL_LENGTH characters.

    Other marks such as `<oov>` are never written.
    """
    device = next(model.parameters()).device
    allowed = torch.tensor(
        [t not in SPECIAL_TOKENS or t == SPECIAL_TOKENS[EOS] for t in vocabulary.tokens], device=device
    )
    generator = torch.Generator().manual_seed(derive_seed(seed, "freely"))
    uniform = torch.rand(MAX_UNCONDITIONAL_LENGTH, count, generator=generator).to(device)
    ids = torch.full((count,), BOS, device=device)
    columns, carry = [], None
    for draw in uniform:
        logits, carry = model(ids[:, None], None, carry)
        ids = choose_ids(log_probabilities(logits[:, -1]), allowed, draw, Decoding(temperature))
        columns.append(ids)
        if (torch.stack(columns) == EOS).any(0).all():
            break
    rows = torch.stack(columns, 1).tolist()
    return [vocabulary.decode(row[: row.index(EOS)] if EOS in row else row) for row in rows]


def count_regular_lines(texts: Sequence[str]) -> RuleCount:
    """Count, of all lines closed by punctuation, those of 5 or 7 characters as long as their text's first."""
    text_lengths = [[len(line) for line in LINE_END.split(text)[:-1]] for text in texts]
    regular = sum(
        length in REGULAR_LINE_LENGTHS and length == lengths[0]
        for lengths in text_lengths
        for length in lengths
    )
    return RuleCount(regular, sum(map(len, text_lengths)))


class TrainingText(NamedTuple):
    """The training text without marks and punctuation.

    An unknown character stays in its place, so that characters on both sides of it do not become neighbours.
    """

    texts: list[np.ndarray]  # ids, one array for each sequence
    lines: frozenset[str]

    @classmethod
    def from_sequences(cls, training: EncodedSequences, vocabulary: Vocabulary) -> "TrainingText":
        marks = (SPECIAL_TOKENS[BOS], SPECIAL_TOKENS[EOS])
        is_text = np.array(
            [token not in marks and not LINE_END.fullmatch(token) for token in vocabulary.tokens]
        )
        sequences = np.split(training.ids, training.starts[1:-1])
        decoded = (vocabulary.decode(ids[1:].tolist()) for ids in sequences)
        lines = frozenset(line for text in decoded for line in LINE_END.split(text))
        return cls([ids[is_text[ids]] for ids in sequences], lines)


def longest_copies(texts: Sequence[Ids], training: Sequence[Ids]) -> list[np.ndarray]:
    """For each position of each text, return how many ids from there on occur in a row in a training text.

    Ids are not negative. The result is exact and the time proportional to what is copied: runs of n + 1 ids
    are searched for only where runs of n were found. A run is identified by the number of its first n ids and
    by its last id.
    """
    ids, training_ids = _concatenate(texts), _concatenate(training)
    base = int(max(ids.max(), training_ids.max())) + 1
    copied = np.zeros(len(ids), dtype=np.int64)
    starts, training_starts = np.arange(len(ids)), np.arange(len(training_ids))
    runs, training_runs = np.zeros_like(starts), np.zeros_like(training_starts)
    length = 0
    while len(starts):
        starts, runs = _extend_runs(starts, runs, ids, length, base)
        training_starts, training_runs = _extend_runs(
            training_starts, training_runs, training_ids, length, base
        )
        distinct, runs = np.unique(runs, return_inverse=True)
        places = np.searchsorted(distinct, training_runs)
        in_texts = np.append(distinct, SEPARATOR)[places] == training_runs
        training_starts, training_runs = training_starts[in_texts], places[in_texts]
        in_training = np.zeros(len(distinct), dtype=bool)
        in_training[training_runs] = True
        starts, runs = starts[in_training[runs]], runs[in_training[runs]]
        length += 1
        copied[starts] = length
    ends = np.cumsum([len(text) + 1 for text in texts])
    return [copied[end - 1 - len(text) : end - 1] for end, text in zip(ends, texts, strict=True)]


def _concatenate(texts: Sequence[Ids]) -> np.ndarray:
    """Return all ids with SEPARATOR after each text."""
    arrays = [array for text in texts for array in (np.asarray(text, dtype=np.int64), [SEPARATOR])]
    return np.concatenate([*arrays, [SEPARATOR]]).astype(np.int64)


def _extend_runs(
    starts: np.ndarray, runs: np.ndarray, ids: np.ndarray, length: int, base: int
) -> tuple[np.ndarray, np.ndarray]:
    """Extend runs of `length` by one id; return the starts and numbers of those that do not end before it."""
    following = ids[np.minimum(starts + length, len(ids) - 1)]
    continues = following != SEPARATOR
    return starts[continues], runs[continues] * base + following[continues]
