"""Compare training choices for recurrent language models that are built by hand.

The names below are for scripts and notebooks; docs/python.md shows how. Each is imported when it is first
used, so that `import tangsweep` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tangsweep.api import Runs, generate, load_model, load_runs, load_search, perplexity, report, train
    from tangsweep.checkpoint import TrainedModel
    from tangsweep.data_modules.book import BookDataModule
    from tangsweep.data_modules.palindromes import PalindromeDataModule
    from tangsweep.data_modules.tang import TangDataModule
    from tangsweep.data_modules.waves import WaveDataModule
    from tangsweep.language_model import LanguageModel
    from tangsweep.training.module import LanguageModelModule

MODULES = {
    "Runs": "api",
    "generate": "api",
    "load_model": "api",
    "load_runs": "api",
    "load_search": "api",
    "perplexity": "api",
    "report": "api",
    "train": "api",
    "TrainedModel": "checkpoint",
    "BookDataModule": "data_modules.book",
    "PalindromeDataModule": "data_modules.palindromes",
    "TangDataModule": "data_modules.tang",
    "WaveDataModule": "data_modules.waves",
    "LanguageModel": "language_model",
    "LanguageModelModule": "training.module",
}
__all__ = [
    "BookDataModule",
    "LanguageModel",
    "LanguageModelModule",
    "PalindromeDataModule",
    "Runs",
    "TangDataModule",
    "TrainedModel",
    "WaveDataModule",
    "generate",
    "load_model",
    "load_runs",
    "load_search",
    "perplexity",
    "report",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
