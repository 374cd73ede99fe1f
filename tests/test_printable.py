"""Control characters of whatever somebody else wrote are shown, never obeyed, wherever text is printed."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.command_line import print_error
from tangsweep.commands import generate
from tangsweep.console import print_line
from tangsweep.printable import printable, printable_line
from tangsweep.progress_bar import OneLineName
from tangsweep.reporting.build import report_on, write_report
from tangsweep.reporting.render.terminal import print_rankings
from tests.conftest import Ran
from tests.reporting.written_sweeps import record, write_run

NASTY = "\x1b]0;owned\x07\x1b[31m red \x9b2J\u202e\u2028"


def is_obeyed(character: str) -> bool:
    """Whether a terminal or an editor does something at a character, rather than showing it."""
    if character in "\t\n":
        return False
    is_control = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    turns = unicodedata.bidirectional(character) in (
        "LRE",
        "RLE",
        "PDF",
        "LRO",
        "RLO",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    )
    return is_control or turns


def test_every_character_that_is_obeyed_has_a_mark() -> None:
    obeyed = [c for c in map(chr, range(0x110000)) if is_obeyed(c)]
    assert len(obeyed) == 65 - 2 + 9 + 2 + 2048
    for character in obeyed:
        marked = printable(f"a{character}b")
        assert not any(map(is_obeyed, marked)) and marked not in (f"a{character}b", "ab")
        assert marked == printable(marked) == printable_line(f"a{character}b")
    assert printable("\x1b[31m\x7f\x9b") == "␛[31m<U+007F><U+009B>"
    assert printable("日，\tא\n👩‍🌾") == "日，\tא\n👩‍🌾"
    assert printable_line("a\tb\n") == "a␉b␊"


def test_lines_errors_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(f"{NASTY}:warning:\nnext")
    print_error(f"no {NASTY}\nnext\udc80")
    out, err = capsys.readouterr()
    assert out == f"{printable(NASTY)}:warning:\nnext\n"
    assert err == f"error: no {printable(NASTY)}␊next<U+DC80>\n"
    assert not any(map(is_obeyed, out + err + OneLineName(f"  optimizer={NASTY}").fitted(200)))


def test_a_report_shows_what_runs_hold(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = home / "outputs" / "s"
    for optimizer, lr in (("adam", 1.0), (NASTY, 2.0)):
        result = record(300.0 + lr, overrides=[f"optimizer={optimizer}"], machine=NASTY)
        folder = write_run(sweep, f"run-{lr}", result, optimizer__lr=lr, sweep__question=NASTY)
        folder.poems.write_text(f"# 日{NASTY}\n日{NASTY}。\r\n", encoding="utf-8")
    escaped = r"""a\u001b\x1b'"${x}\"b\\"""  # which Vega might decode
    write_run(sweep, "escaped", record(310.0, overrides=[f"optimizer={escaped}"]), optimizer__lr=3.0)
    failed = record(None, status="failed", error=f"ValueError({NASTY})\nTraceback", dev=None, overrides=[])
    write_run(sweep, f"failed{NASTY.replace('/', '')}", failed, optimizer__lr=NASTY)
    (sweep / "commands.jsonl").write_text(
        f'{{"arguments": ["optimizer={printable(NASTY)}\\u001b"], "runs": 3}}\n'
    )
    _, report = report_on([sweep])
    print_rankings(report)
    texts = {"terminal": capsys.readouterr().out}
    for path in write_report(report, sweep / "out"):
        if path.suffix != ".png":
            texts[path.name] = path.read_text(encoding="utf-8")
    page, _, scripts = texts["report.html"].partition("<script>")
    texts["report.html"] = page
    assert {"report.md", "runs.csv", "scores.svg", "terminal"} <= texts.keys()
    for name, text in texts.items():
        assert not any(map(is_obeyed, text)), name
    assert not any(map(is_obeyed, scripts[scripts.index('"scores"') :]))
    assert "␛[31m red" in texts["report.md"] and "␛[31m red" in texts["terminal"]


def test_a_book_is_continued_visibly(
    home: Path, train: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "tale.txt").write_text("\x1b[31mred\x1b[0m \x9b2J" * 60, encoding="utf-8")
    steps = ("data.seq_len=8", "model.hidden_size=8", "trainer.max_steps=2", "trainer.val_every=2")
    run = train(base=("corpus=book", "corpus.path=tale.txt", "logger=csv", "samples.every=null", *steps))
    written = home / "out.txt"
    arguments = [
        "generate.py",
        str(run.folder.path),
        "--start",
        "red",
        "--length",
        "400",
        "--temperature",
        "1",
    ]
    capsys.readouterr()
    for more in ([], ["--format", "json"], ["--format", "markdown"], ["--out", str(written)]):
        monkeypatch.setattr("sys.argv", [*arguments, *more])
        generate.main()
        shown = capsys.readouterr().out
        assert not any(map(is_obeyed, shown)), more
        assert "--out" in more or "<U+009B>" in shown
    assert "\x1b" in written.read_text(encoding="utf-8")  # a file has the text itself
