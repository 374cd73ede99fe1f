"""Small poems for the tests of this folder."""

from dataclasses import replace

from tangsweep.batches.split import PoemSettings
from tangsweep.corpora.tang import Corpus, Poem

SETTINGS = PoemSettings(
    poems=None,
    duplicates="drop",
    min_chars=1,
    max_chars=60,
    long="chunk",
    punctuation="keep",
    min_freq=1,
    split="fraction",
    train_fraction=0.8,
    train_poems=None,
    dev_poems=None,
    pool=None,
    split_seed=None,
)


def settings(**changes: object) -> PoemSettings:
    return replace(SETTINGS, **changes)  # type: ignore[arg-type]


def corpus(*texts: str) -> Corpus:
    poems = [Poem(str(i), "", "", (text,) if text else ()) for i, text in enumerate(texts)]
    return Corpus("tang", tuple(poems), "", True)
