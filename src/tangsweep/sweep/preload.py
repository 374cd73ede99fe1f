"""Imports what a run needs, once, in the server that workers are forked from; W&B's tables use pandas."""

import pandas  # noqa: F401
import wandb.sdk.launch  # noqa: F401

import tangsweep.batches.poems
import tangsweep.batches.windows
import tangsweep.evaluation.poem_quality
import tangsweep.generation.run_poems
import tangsweep.generation.training_samples
import tangsweep.training.run  # noqa: F401
