"""The data modules: their arguments are those of conf/, their batches those of a run."""

import inspect
from collections.abc import Iterable

import pytest
import torch
import yaml

from tangsweep.batches.batch import Batch
from tangsweep.config.data_options import (
    BookFileOptions,
    DataOptions,
    PalindromeOptions,
    PoemFileOptions,
    WaveOptions,
)
from tangsweep.config.options import Options
from tangsweep.data_modules.book import BookDataModule
from tangsweep.data_modules.data_module import LanguageDataModule
from tangsweep.data_modules.palindromes import PalindromeDataModule
from tangsweep.data_modules.tang import TangDataModule
from tangsweep.data_modules.waves import WaveDataModule
from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tests.conftest import configured, prepare

SAMPLE = {"corpus": "sample", "poems": 30, "batch_size": 4}
# The module, the task's name in conf/corpus/, the file in conf/data/, options of the corpus beside data's.
MODULES: list[tuple[type[LanguageDataModule], str, str, type[Options]]] = [
    (TangDataModule, "tang", "poems", PoemFileOptions),
    (BookDataModule, "book", "windows", BookFileOptions),
    (PalindromeDataModule, "palindromes", "stream", PalindromeOptions),
    (WaveDataModule, "frequency", "stream", WaveOptions),
]


def ready(**options: object) -> TangDataModule:
    data = TangDataModule(**{**SAMPLE, **options})  # type: ignore[arg-type]
    data.prepare_data()
    data.setup("fit")
    return data


def equal(batches: Iterable[Batch], others: Iterable[Batch]) -> bool:
    def same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
        return one is other or (one is not None and other is not None and torch.equal(one, other))

    return all(
        same(a.inputs, b.inputs)
        and same(a.targets, b.targets)
        and same(a.times, b.times)
        and a.carry == b.carry
        for a, b in zip(batches, others, strict=True)
    )


@pytest.mark.parametrize(("module", "corpus", "data_file", "corpus_options"), MODULES)
def test_arguments_have_the_names_and_defaults_of_conf(
    module: type[LanguageDataModule], corpus: str, data_file: str, corpus_options: type[Options]
) -> None:
    composed = configured(f"corpus={corpus}")
    parameters = inspect.signature(module).parameters
    keys = yaml.safe_load((REPOSITORY / "conf" / "data" / f"{data_file}.yaml").read_text(encoding="utf-8"))
    for key in keys:
        assert parameters[key].default == composed["data"][key], key
    for key in corpus_options.model_fields:
        assert parameters[key].default == composed["corpus"][key], key
    if "steps_per_epoch" in parameters:
        assert parameters["steps_per_epoch"].default == composed["trainer"]["val_every"]
    assert parameters["seed"].default == composed["seed"]


@pytest.mark.parametrize(("module", "corpus", "data_file", "corpus_options"), MODULES)
def test_every_option_of_the_group_data_is_checked(
    module: type[LanguageDataModule], corpus: str, data_file: str, corpus_options: type[Options]
) -> None:
    with pytest.raises(UserError, match=rf"{module.__name__}\.batch_size=0 is invalid"):
        module(batch_size=0)  # type: ignore[call-arg]
    annotation = inspect.get_annotations(module)["options"]
    assert issubclass(annotation, DataOptions)
    assert set(annotation.model_fields) <= set(inspect.signature(module).parameters)


def test_options_that_contradict_each_other() -> None:
    with pytest.raises(UserError, match=r"data\.max_chars=5 is below data\.min_chars=20"):
        TangDataModule(max_chars=5)


@pytest.mark.parametrize(
    ("data", "overrides"),
    [
        (
            TangDataModule(corpus="sample", poems=30, batch_size=4, pad="fixed", score_pads=True, seed=3),
            ("corpus=sample", "data.poems=30", "data.batch_size=4", "data.pad=fixed", "data.score_pads=true"),
        ),
        (
            PalindromeDataModule(4, length=5, dev_size=30, steps_per_epoch=6, seed=3),
            ("corpus=palindromes", "data.batch_size=4", "corpus.length=5", "data.dev_size=30"),
        ),
        (
            WaveDataModule(4, dev_size=9, sampling="random", steps_per_epoch=6, seed=3),
            ("corpus=frequency", "data.batch_size=4", "corpus.sampling=random", "data.dev_size=9"),
        ),
    ],
)
def test_batches_are_those_of_a_run(data: LanguageDataModule, overrides: tuple[str, ...]) -> None:
    steps = () if isinstance(data, TangDataModule) else ("trainer.val_every=6",)
    run = prepare(configured(*overrides, *steps, "seed=3"))
    batches = run.task.batches(run.encoded, run.config)
    data.setup()
    loader = data.train_dataloader()
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        assert equal(loader, batches.train_batches(epoch))
    assert equal(data.val_dataloader(), batches.dev_batches())
    assert (data.tokens, data.inputs, data.pad_id) == (run.encoded.tokens, run.encoded.inputs, batches.pad)


def test_windows_of_a_book_carry_their_state(home: object) -> None:
    path = f"{home}/tale.txt"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("Hansel and Gretel went into the wood. " * 20)
    data = BookDataModule(4, path=path, seq_len=8, windows="contiguous", steps_per_epoch=3)
    data.setup()
    assert [batch.carry for batch in data.train_dataloader()] == [False, True, True]
    with pytest.raises(UserError, match="BookDataModule has no test set"):
        data.test_dataloader()


def test_the_test_set_is_drawn_from_the_poems_behind(home: object) -> None:
    data = ready(poems=30, test_poems=7)
    assert (
        data.encoded.documents["test"].names == ready(poems=30, test_poems=7).encoded.documents["test"].names
    )
    assert len(data.encoded.documents["test"].names) == 7
    rows = sum(len(batch.inputs) for batch in data.test_dataloader())
    assert rows == len(data.encoded.documents["test"].of_sequence)
    for none_left in ({"test_poems": 0}, {"poems": 120}):
        with pytest.raises(UserError, match="no test set; choose test_poems above 0"):
            ready(**none_left).test_dataloader()


def test_before_setup_nothing_is_known() -> None:
    with pytest.raises(RuntimeError, match=r"call setup\(\) of this TangDataModule first"):
        _ = TangDataModule(**SAMPLE).tokens  # type: ignore[arg-type]


def test_a_checkpoint_of_another_vocabulary_is_refused() -> None:
    state = ready().state_dict()
    ready().load_state_dict(state)
    with pytest.raises(UserError, match="another vocabulary than this TangDataModule has"):
        ready(poems=20).load_state_dict(state)


def test_a_new_batch_size_makes_new_batches() -> None:
    data = ready(batch_size=4)
    before = len(data.train_dataloader())
    data.batch_size = 2
    assert (data.batch_size, len(data.train_dataloader())) == (2, 2 * before)
    with pytest.raises(UserError, match=r"batch_size=0 is invalid"):
        data.batch_size = 0
