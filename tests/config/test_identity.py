import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.config import identity
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


def test_every_marked_key_exists() -> None:
    keys = {key for corpus in ("tang", "book") for key, _ in identity.flatten(configured(f"corpus={corpus}"))}
    for marked in (*identity.key_marks().volatile, *identity.key_marks().value_before):
        assert any(key == marked or key.startswith(f"{marked}.") for key in keys), marked


def test_keys_of_a_task_of_its_own_belong_to_the_identity() -> None:
    for key in ("corpus.length", "corpus.sampling", "data.poems", "optimizer.anything", "seed", "new.key"):
        assert not identity.is_volatile(key)


FROZEN = json.loads((Path(__file__).parents[1] / "runs" / "frozen.json").read_text(encoding="utf-8"))


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
