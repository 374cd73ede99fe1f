import hashlib
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
    chosen = ("corpus=tang", "corpus=book", "optimizer=rmsprop", "optimizer=adamw")
    keys = {key for choice in chosen for key, _ in identity.flatten(configured(choice))}
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


def digest_before(*overrides: str) -> str:
    """The identity as it was when no update had changed a result: a hash of the counted keys and the corpus."""
    counted = {
        key: value
        for key, value in identity.flatten(configured(*overrides))
        if not identity.is_volatile(key) and not identity.has_value_before(key, value)
    }
    described = json.dumps([counted, "corpus"], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(described.encode()).hexdigest()[:8]


COSINE = "scheduler=cosine"
ALL_POEMS = "data.poems=null"


class TestResultsThatAnUpdateChanged:
    """Only configs whose results it changed have another identity than before."""

    @pytest.mark.parametrize(
        "overrides",
        [
            [],
            ["corpus=sample", "data.poems=12"],
            [COSINE],
            ["trainer.max_steps=50"],
            ["scheduler=exponential", "trainer.max_steps=50"],
            ["trainer.precision=32-true"],
            ["trainer.precision=bf16-mixed"],
            ["trainer.precision=16-mixed"],
            [ALL_POEMS, "data.test_poems=0"],
            [ALL_POEMS, "data.train_poems=100", "data.dev_poems=20"],
            [ALL_POEMS, "data.split=fixed", "data.pool=100", "data.dev_poems=20"],
            ["corpus=book"],
            ["corpus=palindromes"],
            ["corpus=frequency"],
        ],
        ids=" ".join,
    )
    def test_the_others_are_as_they_were(self, overrides: list[str]) -> None:
        assert digest(*overrides) == digest_before(*overrides)

    @pytest.mark.parametrize(
        "overrides",
        [
            [COSINE, "trainer.max_steps=50"],
            [COSINE, "trainer.max_steps=50", "corpus=book"],
            ["trainer.precision=64-true"],
            ["trainer.precision=64-true", "corpus=palindromes"],
            ["trainer.precision=bf16-true"],
            ["trainer.precision=16-true"],
            [ALL_POEMS],
            [ALL_POEMS, "data.train_poems=100"],
            [ALL_POEMS, "data.dev_poems=100"],
        ],
        ids=" ".join,
    )
    def test_theirs_is_new(self, overrides: list[str]) -> None:
        assert digest(*overrides) != digest_before(*overrides)

    def test_each_change_gives_an_identity_of_its_own(self) -> None:
        changes = list(identity.CHANGED_RESULTS.values())
        every = configured(COSINE, "trainer.max_steps=50", "trainer.precision=64-true", ALL_POEMS)
        assert [applies(every) for applies in changes] == [True, True, True]
        alone = [[COSINE, "trainer.max_steps=50"], ["trainer.precision=64-true"], [ALL_POEMS]]
        for number, overrides in enumerate(alone):
            applied = [applies(configured(*overrides)) for applies in changes]
            assert applied == [number == other for other in range(3)], overrides

    def test_such_identities_stay_from_now_on(self) -> None:
        frozen = {
            digest(COSINE, "trainer.max_steps=50"): "d50e9478",
            digest("trainer.precision=64-true"): "deeb60d4",
            digest(ALL_POEMS): "3f443942",
        }
        assert list(frozen) == list(frozen.values())

    def test_a_config_from_before_the_keys_of_the_test_set_is_no_other(self) -> None:
        """As it lies in a run's folder: without the keys, nothing was taken from training."""
        config = configured(ALL_POEMS, "data.test_poems=0")
        for key in ("test_poems", "test_after", "oov"):
            del config["data"][key]
        assert identity.config_hash(config, "corpus") == digest(ALL_POEMS, "data.test_poems=0")


class TestTestSets:
    @pytest.mark.parametrize(
        "base", [[], ["data.poems=50"], [ALL_POEMS], ["data.split=fixed", "data.pool=90", "data.dev_poems=9"]]
    )
    def test_how_many_test_poems_there_are_is_no_part_of_an_identity(self, base: list[str]) -> None:
        sizes = ["data.test_poems=1", "data.test_poems=100", "data.test_poems=5000", "data.test_after=700"]
        assert {digest(*base, size) for size in sizes} == {digest(*base)}

    def test_nor_whether_there_are_any_unless_they_are_taken_from_training(self) -> None:
        assert digest("data.test_poems=0") == digest()
        assert digest(ALL_POEMS, "data.test_poems=0") != digest(ALL_POEMS)

    def test_what_takes_text_from_training_or_changes_it_is(self) -> None:
        book = digest("corpus=book")
        assert (
            digest("corpus=book", "data.test_fraction=0.0") == digest("corpus=book", "data.oov=never") == book
        )
        others = [
            digest("corpus=book", "data.test_fraction=0.1"),
            digest("corpus=book", "data.test_fraction=0.2"),
            digest("corpus=book", "data.oov=singletons"),
        ]
        assert len({book, *others}) == 4
        assert digest("data.oov=never") == digest() != digest("data.oov=singletons")
        assert digest("data.duplicates=near") != digest()


def test_slug() -> None:
    assert identity.slug(["optimizer=adam", "optimizer.lr=0.01"]) == "optimizer-adam_lr-0.01"
    assert identity.slug(["+a.b=1", "~c"]) == "b-1_c"
    assert identity.slug([]) == "run"


@given(st.lists(st.text(max_size=60), max_size=6))
def test_slugs_are_folder_names_everywhere(overrides: list[str]) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", identity.slug(overrides))
    assert identity.slug(overrides) not in (".", "..")
