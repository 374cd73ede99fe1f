"""Imported once, before workers are forked: all that a run imports on its way, pandas by W&B's tables."""

import pandas  # noqa: F401
import wandb.sdk.launch  # noqa: F401

import tangsweep.generation.run_poems
import tangsweep.training.run  # noqa: F401
