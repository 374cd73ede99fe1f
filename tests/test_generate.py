"""src/generate.py on models of prose and on models of no text; of poems: test_command_line.py."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.commands.generate import main
from tangsweep.errors import UserError
from tests.conftest import QUIET, Ran

Generate = Callable[..., str]


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Generate:
    def one(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["generate.py", *arguments])
        capsys.readouterr()
        main()
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


def test_forms_and_acrostics(train: Callable[..., Ran], generate: Generate) -> None:
    run = str(train(base=POEMS).folder.path)
    for form, chars, lines in (("wujue", 5, 4), ("qijue", 7, 4), ("wulu", 5, 8), ("qilu", 7, 8)):
        text = generate(run, "--form", form)
        assert [len(line) for line in text.split()] == [2 * (chars + 1)] * (lines // 2)
    text = generate(run, "--acrostic", "山水风花月日", "--chars", "5").replace("\n", "")
    assert text[::6] == "山水風花月日"
    shortened = generate(run, "--acrostic", "山水", "--samples", "9", "--keep", "2")
    assert generate(run, "--acrostic", "山水", "--samples", "9").startswith(shortened.rstrip())
    assert shortened.count("perplexity ") == 2
    small = ("--acrostic", "山水", "--seed", "2", "--chars", "9")
    others = (
        ["--top-k", "1"],
        ["--top-p", "0.000001"],
        ["--beam", "4"],
        ["--prompt", "風，月。"],
        ["--greedy"],
        [],
    )
    texts = [generate(run, *small, *other) for other in others]
    assert texts[0] == texts[1] == texts[4]  # the likeliest character each time
    assert len(set(texts)) == 4
    assert generate(run, "--acrostic", "风山") == generate(run, "--acrostic", "風山")
    assert generate(run, "--starts", "山山") == generate(run, "--start", "山")
    assert generate(run, "--start", "山", "--lines", "4", "--rhyme", "风") == generate(
        run, "--start", "山", "--lines", "4", "--rhyme", "風"
    )
    both = generate(
        run, "--acrostic", "山水", "--rhyme", "--tones", "pingqi", "--chars", "5", "--samples", "2"
    )
    assert both.count("# 平起") == 2
    assert both.count("  韻 ") == both.count("perplexity ") == 2
    simple = generate(run, "--start", "風", "--script", "simplified", "--chars", "1", "--lines", "1")
    assert simple == "风。\n"


def test_formats(train: Callable[..., Ran], generate: Generate, tmp_path: Path) -> None:
    run = str(train(base=POEMS).folder.path)
    options = ("--starts", "山月", "--form", "wujue", "--rhyme", "--seed", "3")
    content = json.loads(generate(run, *options, "--format", "json"))
    assert content["form"] == {"name": "五絕", "chars": 5, "lines": 4}
    assert (content["prosody"], content["seed"], content["samples"]) == ("modern", 3, 1)
    assert content["temperature"] == 0.8  # as it was decoded, set or not
    for poem, start in zip(content["poems"], "山月", strict=True):
        assert poem["text"][0] == poem["start"] == start
        assert poem["lines"] == [
            *poem["text"].replace("\n", "").replace("，", "，|").replace("。", "。|").split("|")[:-1]
        ]
        characters = poem["characters"]
        assert "".join(c["character"] for c in characters) == "".join(line[:-1] for line in poem["lines"])
        assert all(0 < c["probability"] <= 1 for c in characters)
        assert len(characters[3]["alternatives"]) == 5
        assert poem["rhyme"]
        assert poem["pattern"] is None
    marked = generate(run, *options, "--format", "markdown")
    assert marked.startswith("## 五絕\n\n> 山")
    assert "modern Mandarin" in marked
    texts = generate(run, *options).split("\n\n")
    assert [text.split("\n", 1)[1].strip() for text in texts] == [poem["text"] for poem in content["poems"]]
    out = tmp_path / "poems.md"
    assert generate(run, *options, "--format", "markdown", "--out", str(out)).strip() == str(out)
    assert out.read_text(encoding="utf-8") == marked
    with pytest.raises(UserError, match="exists already"):
        generate(run, *options, "--out", str(out))
    with pytest.raises(UserError, match="does not exist, make it first"):
        generate(run, *options, "--out", str(tmp_path / "no" / "poems.md"))


def test_the_terminal_hears_of_modern_tones_and_skipped_characters(
    train: Callable[..., Ran],
    generate: Generate,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = str(train(base=POEMS).folder.path)
    monkeypatch.setattr("sys.argv", ["generate.py", run, "--starts", "龘山", "--skip-unknown", "--tones"])
    main()
    output = capsys.readouterr()
    assert "龘 is unknown to this model and was skipped" in output.err
    assert "tones and rhymes are those of modern Mandarin" in output.err
    assert output.out.count("。") == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--start", "山", "--chars", "0"], "--chars 0 is invalid"),
        (["--start", ""], "the start is empty"),
        (["--starts", ""], "the start is empty"),
        (["--start", "山，"], "， is no character of a line"),
        (["--start", "山山山山山山", "--chars", "5"], "longer than a line of 5"),
        (["--acrostic", "山山山", "--form", "wujue"], "fewer characters"),
        (["--start", "山龘"], "龘 does not occur .*--skip-unknown"),
        (["--starts", "龘", "--skip-unknown"], "nothing of the starts is known"),
        (["--acrostic", "山水山水", "--chars", "1", "--rhyme"], "水 closes a rhymed line already"),
        (["--tones", "--chars", "6"], "tone patterns are known for lines of 5 and 7"),
        (["--form", "wujue", "--chars", "6"], "--form has its own"),
        (["--length", "9"], "running text needs a start"),
        (["--replace-unknown", "山"], "--replace-unknown is for running text"),
        (["--acrostic", "山\n水", "--lines", "3"], r"\\n does not occur"),
    ],
)
def test_requests_that_no_poem_can_satisfy(
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
        (["--start", "H", "--form", "wujue"], "--form is for poems, this is a model of a book"),
        (["--start", "H", "--samples", "2"], "--samples is for poems, this is a model of a book"),
        (["--start", "ÄÖ", "--replace-unknown", ""], "nothing of the start is known"),
        (["--start", "H", "--length", "0"], "--length 0 is invalid"),
    ],
)
def test_invalid_requests_for_a_book(
    run: str, generate: Generate, arguments: list[str], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        generate(run, *arguments)


def test_a_model_of_poems_continues_text_too(train: Callable[..., Ran], generate: Generate) -> None:
    small = ("corpus=sample", "data.poems=12", "model.hidden_size=8", "trainer.max_steps=2", *QUIET)
    folder = train(base=small).folder.path
    text = generate(str(folder), "--start", "红", "--length", "9")
    assert generate(str(folder), "--start", "紅", "--length", "1", "--script", "simplified")[0] == "红"
    assert (text[0], len(text)) == ("紅", 11)  # traditional, nine more characters and the line's end


def test_a_model_of_palindromes_writes_no_text(train: Callable[..., Ran], generate: Generate) -> None:
    small = ("corpus.length=5", "trainer.max_steps=2", "trainer.val_every=2", "data.dev_size=20")
    folder = train(base=("corpus=palindromes", "logger=csv", *small)).folder.path
    with pytest.raises(UserError, match="was trained on palindromes, which is no text"):
        generate(str(folder), "--start", "1")
