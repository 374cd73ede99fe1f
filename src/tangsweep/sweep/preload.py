"""Imported once, before workers are forked: all that a run imports on its way, pandas by W&B's tables."""

import pandas  # noqa: F401
import wandb.sdk.launch  # noqa: F401

import tangsweep.batches.poems
import tangsweep.batches.windows
import tangsweep.evaluation.poem_quality
import tangsweep.generation.run_poems
import tangsweep.generation.training_samples
import tangsweep.training.run  # noqa: F401
