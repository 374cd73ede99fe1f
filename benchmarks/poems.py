"""Compares composing a hundred poems at once with composing them one after another, with one untrained model.

python benchmarks/poems.py [--hidden 512] [--vocabulary 9588] [--threads 2]

Prints seconds and their ratio. What a poem costs depends on the sizes, not on the weights.
"""

import argparse
import time

import torch

from tangsweep import inits
from tangsweep.corpora.vocabulary import SPECIAL_TOKENS, Vocabulary
from tangsweep.generation.constraints import PoemSpec
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem_composer import PoemComposer
from tangsweep.generation.poem_start import PoemStart
from tangsweep.language_model import build_language_model
from tangsweep.prosody import tables
from tangsweep.prosody.form import REGULAR_FORMS

POEMS, TIMED_ALONE = 100, 5  # of those one after another only a few are timed
FIRST_CODE_POINT = 0x4E00  # of the CJK ideographs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--vocabulary", type=int, default=9_588, help="characters")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ideographs = (chr(FIRST_CODE_POINT + n) for n in range(options.vocabulary - 2))
    vocabulary = Vocabulary([*SPECIAL_TOKENS, "，", "。", *ideographs])
    sizes = {"embed_size": options.hidden // 2, "hidden_size": options.hidden}
    model = build_language_model({"name": "lstm"}, sizes, len(vocabulary))
    inits.initialize(model, inits.uniform, 0.0, seed=0)
    prosody = tables.load_or_build_prosody()
    composer = PoemComposer(model, vocabulary, prosody)
    print(
        f"hidden {options.hidden}, {len(vocabulary):,} ids, {options.threads} threads; {prosody.source} tones"
    )
    print("| form | asked | 100 poems, seconds | one after another | ratio |\n|---|---|---|---|---|")
    for name, form in REGULAR_FORMS.items():
        for constraints, spec in (("form", PoemSpec(form)), ("rhymes and tones", PoemSpec(form, "any", ""))):
            time_poems(composer, spec, 1)  # warms up kernels and caches
            together = time_poems(composer, spec, POEMS)
            alone = sum(time_poems(composer, spec, 1) for _ in range(TIMED_ALONE)) * POEMS / TIMED_ALONE
            print(f"| {name} | {constraints} | {together:.2f} | {alone:.1f} | {together / alone:.3f} |")


def time_poems(composer: PoemComposer, spec: PoemSpec, count: int) -> float:
    """Return the seconds that `count` poems composed together take."""
    starts = [PoemStart(str(number), {}) for number in range(count)]
    before = time.perf_counter()
    composer.compose(spec, starts, Decoding(0.8), seed=0)
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
