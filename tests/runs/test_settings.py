import re

import pytest

from tangsweep.errors import UserError
from tangsweep.runs.settings import RULES, check
from tests.conftest import configured


def test_the_defaults_make_sense() -> None:
    check(configured())


WRONG = {
    "seed": ["-1", "null", "1.5", "true"],
    "data.poems": ["0", "-3", "1.5", "many"],
    "data.duplicates": ["maybe"],
    "data.min_chars": ["0"],
    "data.max_chars": ["0", "null"],
    "data.long": ["wrap"],
    "data.punctuation": ["some"],
    "data.min_freq": ["0"],
    "data.split": ["random"],
    "data.train_fraction": ["0", "1", "1.2", "half"],
    "data.train_poems": ["0"],
    "data.dev_poems": ["-1"],
    "data.pool": ["0"],
    "data.split_seed": ["1.5"],
    "data.pad": ["none"],
    "data.score_pads": ["3"],
    "data.batch_size": ["0", "-1"],
    "model.embed_size": ["0"],
    "model.hidden_size": ["0"],
    "model.layers": ["0"],
    "model.dropout": ["1", "-0.1", "nan"],
    "init.forget_bias": ["big"],
    "optimizer.lr": ["0", "-0.1", "inf", "fast"],
    "trainer.max_epochs": ["0"],
    "trainer.max_steps": ["0"],
    "trainer.gradient_clip_val": ["0", "-1"],
    "trainer.patience": ["0"],
    "trainer.threads": ["0"],
    "trainer.log_every": ["0"],
    "poems.lines": ["0"],
    "poems.starts": ["5", "null"],
    "poems.forms": ["5", "[{chars:5}]", "[{chars:0,temperature:1}]", "[{chars:5,temperature:-1}]"],
    "corpus.root": ["5"],
    "corpus.url": ["5"],
    "corpus.verify": ["maybe"],
    "sweep.name": ["../x", "a/b", "5", ".hidden"],
    "logger.mode": ["foo"],
    "model.pretrained_embeddings": ["5"],
    "trainer.accelerator": ["tpu"],
    "trainer.precision": ["8"],
}


def test_every_rule_is_tried() -> None:
    assert set(WRONG) == set(RULES)


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, values in WRONG.items() for v in values])
def test_a_value_without_sense_is_named(key: str, value: str) -> None:
    shown = ".*" if value[0] == "[" else re.escape(value.capitalize() if value == "true" else value)
    with pytest.raises(UserError, match=f"^{key}={shown} .*must be"):
        check(configured(f"{key}={value}"))


@pytest.mark.parametrize(
    ("override", "complaint"),
    [("optimizer=null", "optimizer=null makes no sense"), ("+data.poems.a=1", "data.poems is missing")],
)
def test_a_group_or_key_that_is_gone(override: str, complaint: str) -> None:
    config = configured()
    if override.startswith("+"):
        config["data"]["poems"] = {"a": 1}
    else:
        config["optimizer"] = None
    with pytest.raises(UserError, match=complaint):
        check(config)


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (["data.max_chars=10", "data.min_chars=20"], "max_chars=10 is below data.min_chars=20"),
        (["trainer.max_epochs=null"], "nothing ends the run"),
        (["data.split=fixed"], "needs data.pool and data.dev_poems"),
        (["data.split=fixed", "data.pool=10", "data.dev_poems=5", "data.poems=11"], "more than data.pool=10"),
        (["scheduler=cosine", "trainer.max_epochs=null", "trainer.max_steps=5"], "scheduler=cosine needs"),
    ],
)
def test_values_that_do_not_fit_together(overrides: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        check(configured(*overrides))
