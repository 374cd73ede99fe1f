"""The index over all sweeps: its rows, what it writes anew and what it leaves, and its command."""

import json
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.commands import report as command
from tangsweep.errors import UserError
from tangsweep.reporting.build import read_sweeps, report_on, write_report
from tangsweep.reporting.index_page import page_is_current, write_index
from tangsweep.reporting.live_page import build_unfinished_report, unfinished_page
from tangsweep.reporting.sweep_summary import read_summary
from tangsweep.runs import lock
from tangsweep.runs.checksums import checksum_of_values
from tangsweep.runs.folder import RunFolder
from tests.conftest import made
from tests.damage import flip_bit
from tests.reporting.test_live_page import write_training_sweep
from tests.reporting.written_sweeps import CORPUS, record, write_optimizer_runs, write_run

Rows = Callable[[], list[str]]


@pytest.fixture
def outputs(home: Path) -> Path:
    return home / "outputs"


@pytest.fixture
def rows(outputs: Path) -> Rows:
    """Write the index and return its rows as HTML."""

    def written_rows() -> list[str]:
        page = write_index(outputs).read_text(encoding="utf-8")
        return re.findall("<tr>(<td>.*)</tr>", page)

    return written_rows


def write_small_sweep(sweep: Path, score: float = 400.0, **changes: object) -> RunFolder:
    """Write a sweep of one run with a page, so that no picture needs to be drawn."""
    folder = write_run(sweep, "optimizer-sgd", record(score, **changes))
    (sweep / "report.html").write_text("<html>written before", encoding="utf-8")
    return folder


class TestRows:
    def test_question_answer_time_runs_and_text(self, outputs: Path, rows: Rows) -> None:
        poems = {**CORPUS, "poems": {"read": 120, "train": 80, "dev": 20, "test": 0}}
        sweep = outputs / "optimizers"
        ended = {"finished": "2026-03-04T05:06:07+0000", "corpus": poems}
        question = "Which `optimizer` is best?"
        for optimizer, score in (("sgd", 500.0), ("adam", 400.0)):
            result = record(score, overrides=[f"optimizer={optimizer}"], **ended)
            target = f"torch.optim.{optimizer}"
            write_run(sweep, f"o-{optimizer}", result, optimizer___target_=target, sweep__question=question)
        failed = record(None, status="failed", error="boom", overrides=["optimizer=lion"], **ended)
        write_run(sweep, "o-lion", failed, sweep__question=question, optimizer___target_="Lion")
        write_run(sweep, "o-muon", None, sweep__question=question, optimizer___target_="Muon")
        (sweep / "report.html").write_text("<html>", encoding="utf-8")
        [row] = rows()
        assert '<a href="optimizers/report.html">optimizers</a>' in row
        assert "<td>Which optimizer is best?</td>" in row
        [headline] = [answer.headline for answer in report_on([sweep])[1].comparisons]
        assert "adam" in headline
        assert headline.replace("`", "") in row
        assert re.search(r"2026-03-0[345] \d\d:06", row)  # in the time zone of the reader
        assert "2 of 4 done, 1 crashed, 1 failed: o-lion" in row
        assert "tang, 100 poems" in row

    def test_the_newest_first_and_damaged_ones_last(self, outputs: Path, rows: Rows) -> None:
        write_small_sweep(outputs / "a", finished="2025-01-01T00:00:00+0000")
        write_small_sweep(outputs / "b", finished="2026-01-01T00:00:00+0000")
        made(outputs / "c" / "run").log.write_text("began", encoding="utf-8")
        (outputs / "d").mkdir()  # no sweep
        (outputs / "notes.txt").write_text("a file", encoding="utf-8")
        first, second, third = rows()
        assert (">b</a>" in first, ">a</a>" in second) == (True, True)
        assert third == '<td>c</td><td class="problem" colspan="5">it holds no run</td>'

    def test_a_damaged_sweep_is_a_row_that_says_so(self, outputs: Path, rows: Rows) -> None:
        write_small_sweep(outputs / "good")
        truncated = write_small_sweep(outputs / "truncated")
        truncated.result.write_text('{"status": "do', encoding="utf-8")
        broken = made(outputs / "broken" / "run")
        broken.result.mkdir()
        good, *others = rows()
        assert "1 of 1 done" in good
        assert "0 of 1 done, 1 crashed, 1 file cannot be read" in " ".join(others)
        assert len(others) == 2

    def test_texts_are_escaped(self, outputs: Path, rows: Rows) -> None:
        sweep = outputs / "a&b <i>"
        question = "<script>alert(1)</script>?"
        write_run(sweep, "run<b>", record(None, status="failed", error="x"), sweep__question=question)
        (sweep / "report.html").write_text("<html>", encoding="utf-8")
        [row] = rows()
        assert '<a href="a%26b%20%3Ci%3E/report.html">a&amp;b &lt;i&gt;</a>' in row
        assert "&lt;script&gt;alert(1)&lt;/script&gt;?" in row
        assert "1 failed: run&lt;b&gt;" in row
        assert "<script" not in row and "<i>" not in row and "<b>" not in row

    def test_a_name_that_is_no_unicode(self, outputs: Path, rows: Rows) -> None:
        write_small_sweep(Path(os.fsdecode(os.fsencode(outputs) + b"/\xff")))
        [row] = rows()
        assert 'href="%FF/report.html"' in row

    def test_the_page_loads_nothing(self, outputs: Path) -> None:
        write_small_sweep(outputs / "s")
        page = write_index(outputs).read_text(encoding="utf-8")
        assert "default-src 'none'; style-src 'unsafe-inline'\"" in page
        assert not re.search(r"<script|<link|<img|\bsrc=|url\(|@import", page)
        assert "--ink" in page  # the style of the reports


class TestWhatIsWritten:
    def test_a_missing_report_is_written_and_a_current_one_left(self, outputs: Path, rows: Rows) -> None:
        sweep = outputs / "s"
        write_optimizer_runs(sweep, {"sgd": [500.0]})
        rows()
        page = sweep / "report.html"
        assert page_is_current(sweep)
        page.write_text("<html>mine", encoding="utf-8")
        (sweep / "report.json").unlink()
        rows()
        assert page.read_text(encoding="utf-8") == "<html>mine"
        assert read_summary(sweep) is not None

    def test_a_report_older_than_a_record_or_of_a_sweep_that_was_killed_is_written_again(
        self, outputs: Path
    ) -> None:
        sweep = outputs / "s"
        folder, page = write_small_sweep(sweep), sweep / "report.html"
        assert page_is_current(sweep)
        later = page.stat().st_mtime_ns + 1_000_000_000
        os.utime(folder.result, ns=(later, later))
        assert not page_is_current(sweep)
        write_index(outputs)
        assert "vega" in page.read_text(encoding="utf-8")
        page.write_text(unfinished_page(sweep), encoding="utf-8")
        os.utime(page, ns=(later, later))
        assert not page_is_current(sweep)

    def test_an_unchanged_sweep_is_not_read_again(self, outputs: Path, rows: Rows) -> None:
        folder = write_small_sweep(outputs / "s", 400.0)
        before = rows()
        written = folder.result.stat().st_mtime_ns
        folder.result.write_text("no longer a record", encoding="utf-8")
        os.utime(folder.result, ns=(written, written))
        assert rows() == before
        (outputs / "s" / "report.json").write_text('{"answer": "foreign"}', encoding="utf-8")
        [row] = rows()
        assert "1 file cannot be read" in row

    @pytest.mark.parametrize("change", ["ended", "added", "removed"])
    def test_a_sweep_whose_runs_change_is_read_again(self, outputs: Path, rows: Rows, change: str) -> None:
        folder = write_small_sweep(outputs / "s")
        write_run(outputs / "s", "optimizer-adam", None, optimizer__lr=1)
        [row] = rows()
        assert "1 of 2 done" in row
        if change == "removed":
            folder.result.unlink()
            folder.config.unlink()
        else:
            name = "optimizer-adam" if change == "ended" else "optimizer-new"
            write_run(outputs / "s", name, record(300.0), optimizer__lr=1)
        [row] = rows()
        counts = {"ended": "2 of 2 done", "added": "2 of 3 done", "removed": "0 of 1 done"}
        assert counts[change] in row

    def test_of_a_sweep_that_trains_no_test_score_and_no_page_of_an_ended_sweep(
        self, outputs: Path, rows: Rows
    ) -> None:
        sweep = outputs / "s"
        write_training_sweep(sweep)
        write_small_sweep(outputs / "ended", finished="2099-01-01T00:00:00+0000")
        with lock.hold_lock(RunFolder(sweep / "optimizer-muon")):
            training, _ = rows()
        assert "trains now" in training
        report = build_unfinished_report(read_sweeps([sweep]), "s")
        assert report.comparisons[0].headline.replace("`", "") in training
        assert "190.6" not in training  # exp(5.25)
        assert not (sweep / "report.html").exists()
        assert not (sweep / "report.json").exists()
        assert "190.6" in " ".join(rows())


class TestCommand:
    def call(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
        monkeypatch.setattr("sys.argv", ["report.py", *arguments])
        command.main()

    @pytest.mark.parametrize("arguments", [(), ("outputs",), ("elsewhere",)])
    def test_without_a_folder_or_on_a_folder_of_sweeps(
        self,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        arguments: tuple[str, ...],
    ) -> None:
        monkeypatch.chdir(home)
        name = arguments[0] if arguments else "outputs"
        write_small_sweep(home / name / "s")
        self.call(monkeypatch, *arguments)
        assert capsys.readouterr().out == f"reading {name}/s\n{name}/index.html lists all sweeps\n"
        assert (home / name / "index.html").exists()

    @pytest.mark.parametrize("arguments", [(), ("outputs",)])
    def test_no_sweep_at_all(
        self, outputs: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
    ) -> None:
        monkeypatch.chdir(outputs.parent)
        if arguments:
            outputs.mkdir()
        with pytest.raises(
            UserError, match=r"outputs holds no sweep: make one first, such as python src/train"
        ):
            self.call(monkeypatch, *arguments)

    def test_options_of_reports_are_refused(self, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_small_sweep(outputs / "s")
        with pytest.raises(UserError, match="--out and --wandb are for the report of a sweep"):
            self.call(monkeypatch, "--out", "there")
        assert not (outputs / "index.html").exists()

    def test_the_report_of_a_sweep_is_kept_for_the_index(
        self, sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_optimizer_runs(sweep, {"sgd": [500.0]})
        self.call(monkeypatch, str(sweep))
        assert "has the whole report" in capsys.readouterr().out
        summary = read_summary(sweep)
        assert summary is not None and summary.statuses == {"done": 1}

    def test_a_report_that_is_written_elsewhere_is_not(
        self, sweep: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        write_optimizer_runs(sweep, {"sgd": [500.0]})
        self.call(monkeypatch, str(sweep), "--out", str(tmp_path / "there"))
        assert read_summary(sweep) is None
        write_report(report_on([sweep])[1], sweep, pictures=False)
        assert page_is_current(sweep)


def test_a_summary_that_was_changed_is_made_anew(outputs: Path) -> None:
    sweep = outputs / "rates"
    write_small_sweep(sweep)
    write_index(outputs)
    path, before = sweep / "report.json", read_summary(sweep)
    assert before is not None and before.answer
    flip_bit(path, before.answer[:5].encode())
    assert read_summary(sweep) is None
    write_index(outputs)
    assert read_summary(sweep) == before


def test_no_control_character_reaches_the_page(outputs: Path) -> None:
    """Not even from a summary that somebody else has written, or from the name of a folder."""
    sweep = outputs / "rates\x1b[31m"
    write_small_sweep(sweep)
    write_report(report_on([sweep])[1], sweep, pictures=False)
    html = write_index(outputs).read_text(encoding="utf-8")
    html += (sweep / "report.html").read_text(encoding="utf-8").partition("<body")[2].partition("<script")[0]
    html += (sweep / "report.md").read_text(encoding="utf-8")
    values = json.loads((sweep / "report.json").read_text(encoding="utf-8"))
    del values["checksum"]
    values |= {"answer": "\x1b[2J", "question": "a\nb", "text": "\x9b", "failed": ["\x07"]}
    text = json.dumps({**values, "checksum": checksum_of_values(values)})
    (sweep / "report.json").write_text(text, encoding="utf-8")
    summary = read_summary(sweep)
    assert summary is not None
    assert (summary.answer, summary.question) == ("␛[2J", "a␊b")
    html += write_index(outputs).read_text(encoding="utf-8")
    assert "rates␛[31m" in html
    assert {character for character in html if unicodedata.category(character) == "Cc"} <= {"\n", "\t"}
