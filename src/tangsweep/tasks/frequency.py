"""Frequency discrimination: does a wave's period lie in [5, 6]? Asked at its last sample."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tangsweep.config import rules
from tangsweep.config.checks import READS_TIMES
from tangsweep.config.identity import flatten
from tangsweep.config.rules import one_of
from tangsweep.corpora.frequency import NAME, SAMPLINGS, VERSION, draw
from tangsweep.randomness import derive
from tangsweep.tasks.drawn import Drawn, Rule, WithoutText
from tangsweep.tasks.task import Config

RULES = {
    "corpus.sampling": one_of(*SAMPLINGS),
    "corpus.time_input": rules.or_null(rules.FLAG),
    "data.dev_size": rules.COUNT,
    "model.input": one_of("reals"),
    "trainer.val_every": rules.COUNT,
}
CLASSES = ("outside", "inside")


class FrequencyTask(WithoutText):
    """What the time gate of a Phased LSTM is for."""

    def check(self, config: Config) -> None:
        rules.hold(RULES, dict(flatten(config)), data="stream")

    def resolve(self, configs: Sequence[Config]) -> list[Rule]:
        return [Rule(NAME, f"{NAME}-{VERSION}-{config['corpus']['sampling']}") for config in configs]

    def encode(self, corpus: Rule, config: Config) -> Drawn:
        size = config["data"]["dev_size"]
        facts = {
            "characters": {"train": None, "dev": size},  # scored: one class a wave
            "sequences": {"train": None, "dev": size},
            "vocabulary": len(CLASSES),
            "dev_fingerprint": f"{corpus.fingerprint}-{size}",
            "vocabulary_fingerprint": "classes",
            "split_fingerprint": f"{corpus.fingerprint}-{size}",
            "baselines": {"uniform": float(len(CLASSES))},
        }
        return Drawn(CLASSES, 2 if _time_input(config) else 1, facts)

    def found(self, corpus: Rule, encoded: Drawn, config: Config) -> str:
        also = "their time stamps an input" if encoded.inputs == 2 else "no time stamps among the inputs"
        return (
            f"corpus {NAME}, {config['corpus']['sampling']} sampling, {also}, drawn without end; "
            f"evaluated on {config['data']['dev_size']:,} waves of their own"
        )

    def data(self, encoded: Drawn, config: Config) -> Any:
        from tangsweep.batches.batch import Batch
        from tangsweep.batches.last_step import cut, of_waves
        from tangsweep.batches.stepwise import Stepwise

        sampling, time_input = config["corpus"]["sampling"], _time_input(config)
        rows, every = config["data"]["batch_size"], config["trainer"]["val_every"]

        def batch(count: int, seed: int) -> Batch:
            return of_waves(draw(count, sampling, np.random.default_rng(seed)), time_input)

        held_out = batch(config["data"]["dev_size"], derive(0, "frequency held out"))
        return Stepwise(
            lambda step: batch(rows, derive(config["seed"], NAME, step)), every, {"dev": cut(held_out)}
        )


def _time_input(config: Config) -> bool:
    """Whether time stamps are an input; null: where the cell does not read them anyway."""
    chosen = config["corpus"]["time_input"]
    return config["cell"]["name"] not in READS_TIMES if chosen is None else chosen
