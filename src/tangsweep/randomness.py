"""Every random choice is a function of (seed, purpose, counters), never the state of a generator.

Changing the optimizer therefore changes nothing else, and a continued run equals an undisturbed one.
Purposes in use: `init` (by parameter name), `split`, `order` (by epoch), `dropout` (by step), `windows`,
`palindromes`, `frequency` (by step), `poem` (by form, start and number), `freely`, `text` (by start),
`sample` (by step); with seed 0, whatever the run's, `palindromes held out` (by length) and
`frequency held out`.
"""

import hashlib


def derive(seed: int, purpose: str, *counters: int | str) -> int:
    """A seed in [0, 2^63) that depends on every argument (BLAKE2b of their text)."""
    text = "\x1f".join([str(seed), purpose, *map(str, counters)])
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
