"""A hundred poems side by side against the same one after another, from one untrained model.

python benchmarks/poems.py [--hidden 512] [--vocabulary 9588] [--threads 2]

Seconds, and their ratio. What a poem costs depends on the sizes, not on the weights.
"""

import argparse
import time

import torch

from tangsweep import inits
from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.generation.constraints import Wish
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem_start import Beginning
from tangsweep.generation.poet import Poet
from tangsweep.language_model import build
from tangsweep.prosody import lookup
from tangsweep.prosody.form import NAMED

POEMS, ALONE = 100, 5  # of those one after another only a few are timed
FIRST = 0x4E00  # CJK ideographs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--vocabulary", type=int, default=9_588, help="characters")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    known = Vocabulary([*MARKS, "，", "。", *(chr(FIRST + n) for n in range(options.vocabulary - 2))])
    sizes = {"embed_size": options.hidden // 2, "hidden_size": options.hidden}
    model = build({"name": "lstm"}, sizes, len(known))
    inits.initialize(model, inits.uniform, 0.0, seed=0)
    prosody = lookup.best()
    poet = Poet(model, known, prosody)
    print(f"hidden {options.hidden}, {len(known):,} ids, {options.threads} threads; {prosody.source} tones")
    print("| form | asked | 100 poems, seconds | one after another | ratio |\n|---|---|---|---|---|")
    for name, form in NAMED.items():
        for asked, wish in (("form", Wish(form)), ("rhymes and tones", Wish(form, "any", ""))):
            seconds(poet, wish, 1)  # kernels, caches
            together, alone = seconds(poet, wish, POEMS), sum(seconds(poet, wish, 1) for _ in range(ALONE))
            alone *= POEMS / ALONE
            print(f"| {name} | {asked} | {together:.2f} | {alone:.1f} | {together / alone:.3f} |")


def seconds(poet: Poet, wish: Wish, poems: int) -> float:
    beginnings = [Beginning(str(number), {}) for number in range(poems)]
    before = time.perf_counter()
    poet.compose(wish, beginnings, Decoding(0.8), seed=0)
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
