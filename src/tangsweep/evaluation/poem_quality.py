"""How good a model's poems are, in figures that runs can be compared by."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tangsweep.batches.encoded import Sequences
from tangsweep.corpora.vocabulary import BOS, EOS, MARKS, Vocabulary
from tangsweep.errors import UserError
from tangsweep.evaluation import unconditional
from tangsweep.evaluation.memorization import longest_copies
from tangsweep.generation.constraints import Wish
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem import Poem
from tangsweep.generation.poem_start import Beginning
from tangsweep.generation.poet import Poet
from tangsweep.prosody import conformity
from tangsweep.prosody.form import END, NAMED
from tangsweep.prosody.prosody import Prosody

POEMS = 100  # a quarter of each regular form
TEMPERATURE = 0.8
SEED = 0  # whatever the run's: the same draws for every model
ASKED = {"free": (None, None), "constrained": ("any", "")}  # tones and rhyme


class TrainingText(NamedTuple):
    """What was learned, without marks and punctuation: `texts` are ids, an array a sequence; `lines` text.

    An unknown character stays where it was, so that nothing is a neighbour that was none.
    """

    texts: list[np.ndarray]
    lines: frozenset[str]

    @classmethod
    def of(cls, training: Sequences, vocabulary: Vocabulary) -> "TrainingText":
        marks = (MARKS[BOS], MARKS[EOS])
        kept = np.array([token not in marks and not END.fullmatch(token) for token in vocabulary.tokens])
        sequences = np.split(training.ids, training.starts[1:-1])
        written = (vocabulary.decode(ids[1:].tolist()) for ids in sequences)
        lines = frozenset(line for text in written for line in END.split(text))
        return cls([ids[kept[ids]] for ids in sequences], lines)


def measure(poet: Poet, prosody: Prosody, training: Sequences) -> dict[str, Any]:
    """Figures on POEMS poems of the four regular forms, for result.json; shares are from 0 to 1.

    `right_lines`: of POEMS texts without any form asked for, as `freely.right_lines`; None where the model
    closes no line. `free`: poems of which only the form was asked; `constrained`: with rhymes and tones too;
    None where the vocabulary cannot, `not_free` or `not_constrained` then says why. Of each: `rhyme` and
    `tones`, as prosody/conformity.py counts them, and the same of their characters in random order
    (`…_shuffled`); `distinct_n`; `longest_copy`, how many characters in a row, punctuation aside, stand in
    `training` too; `copied_line`, the share of poems with a line that is a line there.
    """
    texts = unconditional.write(poet.model, poet.vocabulary, POEMS, TEMPERATURE, SEED)
    learned = TrainingText.of(training, poet.vocabulary)
    found: dict[str, Any] = {
        "poems": POEMS,
        "temperature": TEMPERATURE,
        "prosody": prosody.source,
        "right_lines": unconditional.right_lines(texts).share,
    }
    for name, asked in ASKED.items():
        try:
            poems = _compose(poet, prosody, *asked)
            found[name] = figures(poems, prosody, poet.vocabulary, learned)
        except UserError as reason:
            found |= {name: None, f"not_{name}": str(reason)}
    return found


def _compose(poet: Poet, prosody: Prosody, tones: str | None, rhyme: str | None) -> list[Poem]:
    each = POEMS // len(NAMED)
    beginnings = [Beginning(f"quality {number}", {}) for number in range(each)]
    informed = Poet(poet.model, poet.vocabulary, prosody)
    poems = [
        informed.compose(Wish(form, tones, rhyme), beginnings, Decoding(TEMPERATURE), SEED)
        for form in NAMED.values()
    ]
    return [poem for of_form in poems for [poem] in of_form]


def figures(
    poems: Sequence[Poem], prosody: Prosody, vocabulary: Vocabulary, learned: TrainingText
) -> dict[str, Any]:
    """Of `poems` together, what `measure` says of each of its two hundreds."""
    lines = [poem.bare_lines for poem in poems]
    shuffled = [
        poem.form.split(_shuffled("".join(of_poem))) for poem, of_poem in zip(poems, lines, strict=True)
    ]
    copies = longest_copies([vocabulary.encode("".join(of_poem)) for of_poem in lines], learned.texts)
    copied = [any(line in learned.lines for line in of_poem) for of_poem in lines]
    return {
        **conformity.shares(lines, prosody),
        **{f"{name}_shuffled": share for name, share in conformity.shares(shuffled, prosody).items()},
        **{f"distinct_{n}": distinct([line for of_poem in lines for line in of_poem], n) for n in (1, 2, 3)},
        "longest_copy": max(int(run.max()) for run in copies),
        "copied_line": sum(copied) / len(copied),
    }


def _shuffled(text: str) -> str:
    """The same characters in another order, always the same one: what chance alone would keep."""
    characters = list(text)
    random.Random(SEED).shuffle(characters)
    return "".join(characters)


def distinct(lines: Sequence[str], n: int) -> float:
    """Different runs of n characters, of all that stand in the lines (Li et al. 2016)."""
    runs = [line[at : at + n] for line in lines for at in range(len(line) - n + 1)]
    return len(set(runs)) / len(runs)
