"""The scores of a run that ended, against torch's own LSTM in a loop over single poems and rows of a book."""

import copy
import json
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tangsweep.batches.encoded_text import EncodedText
from tangsweep.batches.split import SENTENCE, cut_into_chunks
from tangsweep.checkpoint import load_model
from tangsweep.corpora.tang import Poem, PoemSource, find_poems
from tangsweep.evaluation.final_scores import score_sets
from tangsweep.evaluation.scores import evaluate
from tangsweep.runs.folder import RunFolder
from tangsweep.training import assemble
from tests.conftest import QUIET, SMALL, Ran, configured, prepare

Train = Callable[..., Ran]
POEMS = (*SMALL, *QUIET, "trainer.max_epochs=8", "optimizer.lr=0.05", "model.layers=2", "model.dropout=0.1")
OOV, BOS, EOS = 1, 2, 3  # of poems; a book's only special token is <oov>, 0
BOOK_ROWS, DOCUMENT = 16, 1000  # rows that a book is read in, and characters of a row that are a document


class PlainModel(NamedTuple):
    """The weights of a checkpoint in torch's own layers, in float64, and the ids of its tokens."""

    embedding: nn.Embedding
    lstm: nn.LSTM
    output: nn.Linear
    ids: dict[str, int]

    def nats(self, sequence: Sequence[int]) -> list[float]:
        """Return what each id but the first costs, in nats, read from the initial state."""
        inputs = torch.tensor([sequence[:-1]])
        with torch.no_grad():
            hidden, _ = self.lstm(self.embedding(inputs))
            log_p = F.log_softmax(self.output(hidden)[0], dim=-1)
        return [-log_p[position, id].item() for position, id in enumerate(sequence[1:])]

    def encode(self, text: str, oov: int) -> list[int]:
        return [self.ids.get(character, oov) for character in text]


def plain_model(path: Path) -> PlainModel:
    """Read a checkpoint of an LSTM. W, U and b hold the gates side by side, in torch's order i, f, g, o."""
    stored = torch.load(path, weights_only=True)
    weights: dict[str, Tensor] = {
        name.removeprefix("model."): value.double() for name, value in stored["state_dict"].items()
    }
    layers = sum(name.endswith(".U") for name in weights)
    (ids, embed), (hidden, _) = weights["embedding.weight"].shape, weights["cells.0.U"].shape
    model = PlainModel(
        nn.Embedding(ids, embed).double(),
        nn.LSTM(embed, hidden, layers, batch_first=True).double(),
        nn.Linear(hidden, ids).double(),
        {token: number for number, token in enumerate(stored["tangsweep"]["tokens"])},
    )
    model.embedding.load_state_dict({"weight": weights["embedding.weight"]})
    model.output.load_state_dict({"weight": weights["output.weight"], "bias": weights["output.bias"]})
    of_lstm = {}
    for layer in range(layers):
        b = weights[f"cells.{layer}.b"]
        of_lstm |= {
            f"weight_ih_l{layer}": weights[f"cells.{layer}.W"].t(),
            f"weight_hh_l{layer}": weights[f"cells.{layer}.U"].t(),
            f"bias_ih_l{layer}": b,  # torch adds two biases
            f"bias_hh_l{layer}": torch.zeros_like(b),
        }
    model.lstm.load_state_dict(of_lstm)
    return model


class Sums(NamedTuple):
    """Sums over the characters of one document."""

    nats: float
    characters: int
    known_nats: float
    known_characters: int


def sums_of(nats: Iterable[float], targets: Iterable[int], oov: int) -> Sums:
    pairs = list(zip(nats, targets, strict=True))
    known = [cost for cost, target in pairs if target != oov]
    return Sums(math.fsum(cost for cost, _ in pairs), len(pairs), math.fsum(known), len(known))


def sums_of_poem(model: PlainModel, text: str, max_chars: int) -> Sums:
    """Score a poem alone: each of its chunks from <bos>, and <eos> where the poem ends."""
    nats: list[float] = []
    targets: list[int] = []
    for chunk in cut_into_chunks([s for s in SENTENCE.findall(text) if s], max_chars, "chunk"):
        ids = [BOS, *model.encode(chunk.text, OOV), *([EOS] if chunk.ends_poem else [])]
        nats += model.nats(ids)
        targets += ids[1:]
    return sums_of(nats, targets, OOV)


def sums_of_book(model: PlainModel, text: str) -> list[Sums]:
    """Score 16 rows of equal length, each alone from its first character on, a thousand characters at a time."""
    ids = model.encode(text, 0)
    length = math.ceil((len(ids) - 1) / BOOK_ROWS)
    documents = []
    for row in range(BOOK_ROWS):
        of_row = ids[row * length : (row + 1) * length + 1]
        nats = model.nats(of_row)
        for start in range(0, length, DOCUMENT):
            part = slice(start, start + DOCUMENT)
            documents.append(sums_of(nats[part], of_row[1:][part], 0))
    return documents


def check_record(scores: Mapping[str, Any], documents: Sequence[Sums]) -> None:
    """The record of a set against the sums of its documents."""
    nats, known_nats = (math.fsum(getattr(d, name) for d in documents) for name in ("nats", "known_nats"))
    characters, known = (sum(getattr(d, n) for d in documents) for n in ("characters", "known_characters"))
    assert 0 < known < characters
    assert (scores["characters"], scores["known_characters"]) == (characters, known)
    expected = {
        "nats": nats,
        "known_nats": known_nats,
        "oov_loss": (nats - known_nats) / (characters - known),
        "loss": nats / characters,
        "known_loss": known_nats / known,
        "perplexity": math.exp(nats / characters),
        "known_perplexity": math.exp(known_nats / known),
        "bits_per_character": nats / characters / math.log(2),
    }
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, rel=1e-6), name


def check_documents(folder: RunFolder, name: str, documents: Sequence[Sums]) -> None:
    """scores.npz of a set against the sums of its documents, one by one."""
    with np.load(folder.document_scores) as stored:
        for field in Sums._fields:
            ours = [getattr(document, field) for document in documents]
            theirs = stored[f"{name}/{field}"]
            if field.endswith("characters"):
                assert theirs.tolist() == ours, field
            else:
                np.testing.assert_allclose(theirs, ours, rtol=1e-6, err_msg=field)


def usable(poems: Sequence[Poem], seen: set[str]) -> list[Poem]:
    """The poems that are neither short nor a copy of one before."""
    kept = []
    for poem in poems:
        if len(poem.text) >= 20 and poem.text not in seen:
            kept.append(poem)
        seen.add(poem.text)
    return kept


@pytest.mark.parametrize("options", [["data.max_chars=30"], ["data.batch_size=3", "data.pad=fixed"]])
def test_poems_against_a_plain_loop_over_single_poems(train: Train, options: list[str]) -> None:
    result, folder = train(*options, base=POEMS)
    assert result["best_epoch"] < result["epochs"]  # so that the last weights would score otherwise
    model, max_chars = plain_model(folder.best), 30 if options[0] == "data.max_chars=30" else 60
    poems, seen = find_poems(PoemSource("sample"), None).poems, set[str]()
    read = usable(poems[:12], seen)
    sets = {"dev": read[int(0.8 * len(read)) :], "test": usable(poems[12:], seen)}
    for name, of_set in sets.items():
        documents = [sums_of_poem(model, poem.text, max_chars) for poem in of_set]
        check_record(result[name], documents)
        check_documents(folder, name, documents)
        with np.load(folder.document_scores) as stored:
            assert stored[f"{name}/names"].tolist() == [poem.id for poem in of_set]
            assert stored[f"{name}/authors"].tolist() == [poem.author for poem in of_set]
        if max_chars == 30:
            assert any(len(poem.text) > 60 for poem in of_set)  # three chunks or more
    training = [sums_of_poem(model, poem.text, max_chars) for poem in read[: int(0.8 * len(read))]]
    assert result["train"]["nats"] == pytest.approx(sum(d.nats for d in training), rel=1e-6)
    assert result["train"]["known_characters"] == result["train"]["characters"]  # min_freq is 1
    assert result["train"]["oov_loss"] is None


@pytest.fixture
def book(home: Path) -> tuple[str, ...]:
    """A book of which a tenth is more than 16,000 characters, with letters that training lacks."""
    generator = random.Random(0)
    text = "".join(generator.choices("abcdefgh  .\n", k=148_000)) + "".join(
        generator.choices("abcdefgh  .\nXYZ", k=37_000)
    )
    (home / "tale.txt").write_text(text, encoding="utf-8")
    return (
        "corpus=book", "corpus.path=tale.txt", "data.test_fraction=0.1", "data.dev_fraction=0.1",
        "data.seq_len=10", "data.batch_size=4", "model.embed_size=8", "model.hidden_size=8", "samples.every=null",
        "optimizer.lr=0.3", "trainer.max_steps=8", "trainer.val_every=2", "logger=csv",
    )  # fmt: skip


def test_a_book_against_a_plain_loop_over_its_rows(train: Train, home: Path, book: tuple[str, ...]) -> None:
    result, folder = train(base=book)
    assert result["best_epoch"] < result["epochs"]
    model = plain_model(folder.best)
    text = (home / "tale.txt").read_text(encoding="utf-8")
    tenth = math.ceil(len(text) * 0.1)
    parts = {"train": text[: -2 * tenth], "dev": text[-2 * tenth : -tenth], "test": text[-tenth:]}
    for name in ("dev", "test"):
        documents = sums_of_book(model, parts[name])
        assert len(documents) == 32  # two of each row
        check_record(result[name], documents)
        check_documents(folder, name, documents)
        with np.load(folder.document_scores) as stored:
            assert stored[f"{name}/names"].tolist() == [str(number) for number in range(32)]
            assert set(stored[f"{name}/authors"].tolist()) == {""}
    training = sums_of_book(model, parts["train"])
    assert result["train"]["nats"] == pytest.approx(math.fsum(d.nats for d in training), rel=1e-6)
    assert result["train"]["known_characters"] == len(parts["train"]) - 1


@pytest.mark.parametrize("kind", ["poems", "poems that are cut", "book"])
def test_the_sums_over_documents_are_those_of_the_record(
    train: Train, book: tuple[str, ...], kind: str
) -> None:
    options = ["data.max_chars=30"] if kind == "poems that are cut" else []
    result, folder = train(*options, base=book if kind == "book" else POEMS)
    with np.load(folder.document_scores) as stored:
        assert {name.partition("/")[0] for name in stored.files} == {"dev", "test"}
        for name in ("dev", "test"):
            sizes = {len(stored[f"{name}/{field}"]) for field in (*Sums._fields, "names", "authors")}
            assert sizes == {result["corpus"]["poems"][name] if kind != "book" else 32}
            for field in Sums._fields:
                total = stored[f"{name}/{field}"].sum()
                assert total == pytest.approx(result[name][field], rel=1e-12), (name, field)
            assert result["corpus"]["characters"][name] == result[name]["characters"]
            unknown = result[name]["characters"] - result[name]["known_characters"]
            assert result["corpus"]["oov"][name]["positions"] == unknown


def test_the_test_set_is_scored_with_the_best_weights_alone(train: Train) -> None:
    result, folder = train(base=POEMS)
    assert "test" not in result["last"]
    prepared = prepare(configured(*POEMS))
    batches = prepared.task.batches(prepared.encoded, prepared.config)
    scored = score_sets(load_model(folder.best).model, batches, prepared.encoded, {"test"})
    assert set(scored.scores) == set(scored.documents) == {"test"}
    of_test = json.loads(scored.scores["test"].model_dump_json())
    assert {name: result["test"][name] for name in of_test} == of_test


def test_without_test_poems_there_is_no_test_score(train: Train) -> None:
    result, folder = train("data.test_poems=0")
    assert result.get("test") is None
    with np.load(folder.document_scores) as stored:
        assert {name.partition("/")[0] for name in stored.files} == {"dev"}


class TestPrecision:
    BASE = (*SMALL, *QUIET)

    def test_half_precision_is_scored_in_float32(self) -> None:
        prepared = prepare(configured(*self.BASE))
        batches: Any = prepared.task.batches(prepared.encoded, prepared.config)
        half = assemble.build_module(prepared, None).model.bfloat16().train()
        full = copy.deepcopy(half).float()
        encoded: EncodedText = prepared.encoded
        for of_set in batches.evaluation_sets().values():
            ours, theirs = (evaluate(model, of_set, None, encoded.vocabulary.oov) for model in (half, full))
            assert ours == theirs
            assert ours.nats != evaluate(copy.deepcopy(full).double(), of_set, None).nats
        assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}
        assert half.training and full.training

    def test_so_is_a_run(self, train: Train) -> None:
        options = ["trainer.precision=bf16-true"]
        result, folder = train(*options)
        stored = torch.load(folder.best, weights_only=True)["state_dict"]
        assert {value.dtype for value in stored.values()} == {torch.bfloat16}
        model = load_model(folder.best).model
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        prepared = prepare(configured(*self.BASE, *options))
        batches: Any = prepared.task.batches(prepared.encoded, prepared.config)
        for name, of_set in batches.evaluation_sets().items():
            scored = evaluate(model, of_set, None, OOV)
            sums = (scored.nats, scored.characters, scored.hits / scored.characters)
            assert sums == tuple(result[name][key] for key in ("nats", "characters", "accuracy"))
        plain = plain_model(folder.best)
        poems = find_poems(PoemSource("sample"), None).poems
        check_documents(
            folder, "test", [sums_of_poem(plain, p.text, 60) for p in poems[12:] if _kept(p, poems)]
        )

    def test_double_precision_is_loaded_as_it_was_saved(self, train: Train) -> None:
        result, folder = train("trainer.precision=64-true")
        stored = torch.load(folder.best, weights_only=True)["state_dict"]
        assert {value.dtype for value in stored.values()} == {torch.float64}
        loaded = load_model(folder.best).model.state_dict()
        assert {f"model.{name}" for name in loaded} == set(stored)
        for name, value in loaded.items():
            assert value.dtype == torch.float64
            assert torch.equal(value, stored[f"model.{name}"]), name
        plain = plain_model(folder.best)
        poems = find_poems(PoemSource("sample"), None).poems
        documents = [sums_of_poem(plain, p.text, 60) for p in poems[12:] if _kept(p, poems)]
        assert result["test"]["nats"] == pytest.approx(sum(d.nats for d in documents), rel=1e-12)


def _kept(poem: Poem, poems: Sequence[Poem]) -> bool:
    """Whether a poem of the test set is long enough, and no copy."""
    return len(poem.text) >= 20 and not any(p.text == poem.text for p in poems[: poems.index(poem)])
