"""Imports what a run needs, once, in the server that workers are forked from."""

import importlib
import sys
from types import ModuleType

SIGNAL = "scipy.signal"


def _import_without_scipy_signal(name: str) -> None:
    """Import the module `name` with an empty module in the place of scipy.signal, which others can import
    later.

    torchmetrics, which Lightning imports, takes a sixth of a worker's start to load scipy.signal, only to
    add a name to it that another package misses (torchmetrics/__init__.py).
    """
    if SIGNAL not in sys.modules:
        import scipy

        stand_in = ModuleType(SIGNAL)
        vars(stand_in)["hamming"] = None
        sys.modules[SIGNAL] = stand_in
        try:
            importlib.import_module(name)
        finally:
            del sys.modules[SIGNAL]
            vars(scipy).pop("signal", None)


_import_without_scipy_signal("torchmetrics")

import pandas  # noqa: E402, F401  # W&B's tables ask for it
import wandb.sdk.launch  # noqa: E402, F401

import tangsweep.batches.poems  # noqa: E402
import tangsweep.batches.windows  # noqa: E402
import tangsweep.evaluation.poem_quality  # noqa: E402
import tangsweep.generation.run_poems  # noqa: E402
import tangsweep.generation.training_samples  # noqa: E402
import tangsweep.training.optimizer_cost  # noqa: E402
import tangsweep.training.run  # noqa: E402, F401
