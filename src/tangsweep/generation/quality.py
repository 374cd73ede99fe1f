"""How good a model's poems are, in figures that runs can be compared by."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tangsweep.batches.encoded import Sequences
from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError
from tangsweep.generation import freely
from tangsweep.generation.beginning import Beginning
from tangsweep.generation.constraints import Wish, writable
from tangsweep.generation.copied import longest_copies
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem import Poem
from tangsweep.generation.poet import Poet
from tangsweep.prosody import conformity
from tangsweep.prosody.form import NAMED
from tangsweep.prosody.prosody import Prosody

POEMS = 100  # a quarter of each regular form
TEMPERATURE = 0.8
SEED = 0  # whatever the run's: the same draws for every model


def measure(poet: Poet, prosody: Prosody, training: Sequences) -> dict[str, Any]:
    """Figures on POEMS poems of the four regular forms, for result.json; shares are from 0 to 1.

    `right_lines`: of POEMS texts without any form asked for, as `freely.right_lines`; None where the model
    closes no line. `free`: poems of which only the form was asked. `constrained`: with rhymes and tones too;
    None where the vocabulary cannot, `unconstrained` then says why. Of each: `rhyme` and `tones`, as
    prosody/conformity.py counts them; `distinct_n`; `longest_copy`, how many characters in a row, punctuation
    aside, stand in `training` too; `copied_line`, the share of poems with a whole line that does.
    """
    texts = freely.write(poet.model, poet.vocabulary, POEMS, TEMPERATURE, SEED)
    learned = _characters(training, poet.vocabulary)
    found: dict[str, Any] = {
        "poems": POEMS,
        "temperature": TEMPERATURE,
        "prosody": prosody.source,
        "right_lines": freely.right_lines(texts).share,
        "free": _figures(_compose(poet, prosody, constrained=False), prosody, poet.vocabulary, learned),
        "constrained": None,
    }
    try:
        poems = _compose(poet, prosody, constrained=True)
        found["constrained"] = _figures(poems, prosody, poet.vocabulary, learned)
    except UserError as reason:
        found["unconstrained"] = str(reason)
    return found


def _compose(poet: Poet, prosody: Prosody, constrained: bool) -> list[Poem]:
    each = POEMS // len(NAMED)
    beginnings = [Beginning(f"quality {number}", {}) for number in range(each)]
    asked = ("any", "") if constrained else (None, None)
    informed = Poet(poet.model, poet.vocabulary, prosody)
    poems = [
        informed.compose(Wish(form, *asked), beginnings, Decoding(TEMPERATURE), SEED)
        for form in NAMED.values()
    ]
    return [poem for of_form in poems for [poem] in of_form]


def _figures(
    poems: Sequence[Poem], prosody: Prosody, vocabulary: Vocabulary, learned: Sequence[np.ndarray]
) -> dict[str, Any]:
    lines = [poem.bare_lines for poem in poems]
    copies = longest_copies([vocabulary.encode("".join(of_poem)) for of_poem in lines], learned)
    copied = [
        (run[:: poem.form.chars] >= poem.form.chars).any() for poem, run in zip(poems, copies, strict=True)
    ]
    return {
        "rhyme": conformity.total(conformity.rhymes(of_poem, prosody) for of_poem in lines).share,
        "tones": conformity.total(conformity.tones(of_poem, prosody) for of_poem in lines).share,
        **{f"distinct_{n}": distinct([line for of_poem in lines for line in of_poem], n) for n in (1, 2, 3)},
        "longest_copy": max(int(run.max()) for run in copies),
        "copied_line": float(np.mean(copied)),
    }


def distinct(lines: Sequence[str], n: int) -> float:
    """Different runs of n characters, of all that stand in the lines (Li et al. 2016)."""
    runs = [line[at : at + n] for line in lines for at in range(len(line) - n + 1)]
    return len(set(runs)) / len(runs)


def _characters(training: Sequences, vocabulary: Vocabulary) -> list[np.ndarray]:
    """Each training sequence without marks and punctuation."""
    kept = writable(vocabulary).numpy()[training.ids]
    parts = zip(
        np.split(training.ids, training.starts[1:-1]), np.split(kept, training.starts[1:-1]), strict=True
    )
    return [ids[of_line] for ids, of_line in parts]
