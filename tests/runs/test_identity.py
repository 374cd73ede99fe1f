import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.config import identity
from tangsweep.files import REPOSITORY
from tests.conftest import configured


def digest(*overrides: str) -> str:
    return identity.config_hash(configured(*overrides), "corpus")


def test_what_cannot_change_the_result_does_not_change_the_identity() -> None:
    same = ["trainer.threads=4", "logger=csv", "sweep.name=x", "corpus.root=/x", "trainer.log_every=3"]
    assert {digest(override) for override in same} == {digest()}


def test_what_can_change_the_result_does() -> None:
    other = [
        "seed=1",
        "optimizer=sgd",
        "optimizer.lr=0.1",
        "data.poems=99",
        "trainer.max_epochs=3",
        "init=xavier",
    ]
    digests = {digest(override) for override in other}
    assert len(digests) == len(other)
    assert digest() not in digests
    assert identity.config_hash(configured(), "another corpus") != digest()


def test_every_volatile_key_exists() -> None:
    keys = {key for corpus in ("tang", "book") for key, _ in identity.flatten(configured(f"corpus={corpus}"))}
    for volatile in identity.VOLATILE:
        assert any(key == volatile or key.startswith(f"{volatile}.") for key in keys), volatile


OPTIONS = [
    f"{path.parent.name}={path.stem}"
    for path in sorted((REPOSITORY / "conf").glob("*/*.yaml"))
    if path.parent.name not in ("hydra",)
]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_key_is_classified(option: str) -> None:
    for key, _ in identity.flatten(configured(option)):
        assert identity.classified(key), f"{key}: list it in runs/identity.py, as VOLATILE or under IDENTITY"


def test_no_key_is_classified_twice() -> None:
    assert not identity.VOLATILE & identity.IDENTITY


FROZEN = json.loads((Path(__file__).parent / "frozen.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FROZEN)
def test_an_update_orphans_no_finished_run(name: str) -> None:
    """Configs and hashes as the first version of the project made them."""
    old = FROZEN[name]
    assert identity.config_hash(old["config"], "corpus") == old["hash"]
    assert identity.config_hash(configured(*old["overrides"]), "corpus") == old["hash"]


def test_an_added_key_enters_where_it_differs() -> None:
    for override in ("trainer.val_every=7", "trainer.give_up=true", "model.input=one_hot", "samples.every=3"):
        assert digest(override) != digest()


def test_slug() -> None:
    assert identity.slug(["optimizer=adam", "optimizer.lr=0.01"]) == "optimizer-adam_lr-0.01"
    assert identity.slug(["+a.b=1", "~c"]) == "b-1_c"
    assert identity.slug([]) == "run"


@given(st.lists(st.text(max_size=60), max_size=6))
def test_slugs_are_folder_names_everywhere(overrides: list[str]) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", identity.slug(overrides))
    assert identity.slug(overrides) not in (".", "..")
