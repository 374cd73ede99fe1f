"""src/generate.py on models of prose and on models of no text; of poems: test_command_line.py."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep import places
from tangsweep.errors import UserError
from tests.conftest import QUIET, Ran

MAIN = runpy.run_path(str(places.REPOSITORY / "src" / "generate.py"))["main"]
Generate = Callable[..., str]


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Generate:
    def one(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["generate.py", *arguments])
        capsys.readouterr()
        MAIN()
        return capsys.readouterr().out

    return one


@pytest.fixture
def run(home: Path, train: Callable[..., Ran]) -> str:
    (home / "tale.txt").write_text("Hansel and Gretel went into the wood. " * 20, encoding="utf-8")
    small = ("data.seq_len=8", "model.hidden_size=8", "trainer.max_steps=4", "trainer.val_every=2")
    return str(train(base=("corpus=book", "corpus.path=tale.txt", "logger=csv", *small)).folder.path)


def test_a_book_is_continued(run: str, generate: Generate) -> None:
    start = ("--start", "Hansel and Gr", "--length", "30", "--temperature", "0.5")
    text = generate(run, *start)
    assert text.startswith("Hansel and Gr")
    assert len(text) == len("Hansel and Gr") + 30 + 1
    assert generate(run, *start) == text
    assert len({text, *(generate(run, *start, *o) for o in (["--seed", "1"], ["--temperature", "2"]))}) == 3
    assert len(generate(run, "--start", "H")) == 202
    assert generate(run, "--start", "Hänsel", "--replace-unknown", "a").startswith("Hansel")
    assert [text[0] for text in generate(run, "--starts", "Hw", "--length", "1").split("\n\n")] == ["H", "w"]


POEMS = ("corpus=sample", "data.poems=12", "model.hidden_size=8", "trainer.max_epochs=1", *QUIET)
FORM = ("--chars", "7", "--lines", "4", "--temperature", "0.8", "--seed", "1")


def test_poems_by_start_form_temperature_and_seed(
    train: Callable[..., Ran], generate: Generate, home: Path
) -> None:
    run = train(base=POEMS).folder.path.relative_to(home)  # counts from TANGSWEEP_HOME
    one = generate(str(run), "--start", "山", *FORM)
    poems = generate(str(run), "--starts", "山红月", *FORM).split("\n\n")
    assert [poem[0] for poem in poems] == ["山", "紅", "月"]
    assert poems[0].strip() == one.strip()
    changes = (["--chars", "5"], ["--lines", "3"], ["--temperature", "0"], ["--seed", "2"])
    assert len({one, *(generate(str(run), "--start", "山", *FORM, *change) for change in changes)}) == 5


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--start", "山", "--chars", "0"], "--chars 0 makes no sense"),
        (["--start", ""], "the start is empty"),
        (["--starts", ""], "the start is empty"),
        (["--start", "山，"], "， is no character of a line"),
    ],
)
def test_what_no_poem_starts_with(
    train: Callable[..., Ran], generate: Generate, arguments: list[str], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        generate(str(train(base=POEMS).folder.path), *arguments)


def test_a_run_that_is_not_there(generate: Generate) -> None:
    with pytest.raises(UserError, match="does not exist"):
        generate("nowhere", "--start", "山")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--start", "Hänsel"], "'ä' does not occur"),
        (["--start", "H", "--length", "9", "--chars", "5"], "leave one out"),
        (["--start", "H", "--lines", "4"], "for poems, this is a model of a book"),
        (["--start", "ÄÖ", "--replace-unknown", ""], "nothing of the start is known"),
        (["--start", "H", "--length", "0"], "--length 0 makes no sense"),
    ],
)
def test_what_makes_no_sense(run: str, generate: Generate, arguments: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        generate(run, *arguments)


def test_a_model_of_poems_continues_text_too(train: Callable[..., Ran], generate: Generate) -> None:
    small = ("corpus=sample", "data.poems=12", "model.hidden_size=8", "trainer.max_steps=2", *QUIET)
    folder = train(base=small).folder.path
    text = generate(str(folder), "--start", "红", "--length", "9")
    assert (text[0], len(text)) == ("紅", 11)  # traditional, nine more characters and the line's end


def test_a_model_of_palindromes_writes_no_text(train: Callable[..., Ran], generate: Generate) -> None:
    small = ("corpus.length=5", "trainer.max_steps=2", "trainer.val_every=2", "data.dev_size=20")
    folder = train(base=("corpus=palindromes", "logger=csv", *small)).folder.path
    with pytest.raises(UserError, match="was trained on palindromes, which is no text"):
        generate(str(folder), "--start", "1")
