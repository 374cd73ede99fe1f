"""Small corpora and the options of their split, for the tests of this folder."""

from tangsweep.config.data_options import PoemSplitOptions
from tangsweep.corpora.tang import Poem, PoemCorpus

OPTIONS = PoemSplitOptions(
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


def options(**changes: object) -> PoemSplitOptions:
    return OPTIONS.model_copy(update=changes)


def corpus(*texts: str) -> PoemCorpus:
    poems = [Poem(str(i), "", "", (text,) if text else ()) for i, text in enumerate(texts)]
    return PoemCorpus("tang", tuple(poems), "", True)
