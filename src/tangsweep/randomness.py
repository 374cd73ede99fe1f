"""Seeds for random choices: each is a function of (seed, purpose, counters), never of a generator's state.

Changing the optimizer therefore changes no random choice, and a resumed run equals an uninterrupted one.

Purposes in use, with their counters: `init` (parameter name), `split`, `order` (epoch), `dropout` (step),
`windows`, `palindromes`, `frequency` (step), `poem` (form, start and number), `freely`, `text` (start),
`sample` (step), `oov` (epoch). With seed 0 instead of the run's: `test poems`, `palindromes held out`
(length), `frequency held out`; in reports `bootstrap`, `bootstrap over settings`, `probability of the best`.
"""

import hashlib


def derive_seed(seed: int, purpose: str, *counters: int | str) -> int:
    """Return a seed in [0, 2^63) that depends on every argument (BLAKE2b of their text)."""
    text = "\x1f".join([str(seed), purpose, *map(str, counters)])
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
