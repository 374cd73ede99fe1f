"""The page as HTML: escaped, explained, nothing empty, nothing from elsewhere."""

import re
from pathlib import Path

from tangsweep.reporting.blocks import Table
from tangsweep.reporting.render.html_page import inline, render_html
from tangsweep.reporting.render.markdown import block_markdown, render_markdown
from tangsweep.reporting.text.glossary import explain
from tests.reporting.written_sweeps import record, report_of, write_optimizer_runs, write_run


def body_of(page: str) -> str:
    return page.partition("<body>")[2].partition("<script>")[0]


def test_the_answer_stands_before_everything_else(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0, 303.0, 299.0], "sgd": [500.0, 507.0, 503.0]})
    body = body_of(render_html(report_of(sweep)))
    order = [
        body.index(text)
        for text in ("<h1>", "adam is best", 'id="scores"', "This rests on", "<nav", "Curves</h2>")
    ]
    assert order == sorted(order)


def test_every_heading_of_every_table_is_explained(sweep: Path) -> None:
    """Groups and runs name themselves."""
    from tests.test_slow_report import sweep as varied_sweep

    report = report_of(varied_sweep(sweep.parent.parent))
    names = set(report.tables["runs"]["group"]) | set(report.tables["runs"]["run"])
    tables = [block for section in report.sections for block in section.blocks if isinstance(block, Table)]
    headings = {heading for table in tables for heading in table.columns if heading not in table.explanations}
    assert len(headings) > 30
    assert [heading for heading in headings - names if not explain(heading)] == []


def test_what_a_table_leaves_out() -> None:
    table = Table(["group", "a", "b", "c"], [["x", "–", "1", ""], ["y", "–", "2", "–"]], text_columns=2)
    shown = table.without_empty_columns()
    assert shown.columns == ["group", "b"] and shown.rows == [["x", "1"], ["y", "2"]]
    assert shown.text_columns == 1
    assert Table(["group", "a"], []).without_empty_columns().columns == ["group"]


def test_optional_columns_are_a_second_table_in_markdown() -> None:
    table = Table(["group", "a", "b"], [["x", "1", "2"]], "A note.", optional=frozenset({"b"}))
    assert (
        block_markdown(table)
        == "| group | a |\n| --- | --- |\n| x | 1 |\n\nA note.\n\n| group | b |\n| --- | --- |\n| x | 2 |"
    )


def test_backticks_are_code_and_texts_are_escaped() -> None:
    assert inline("`a<b>` & <c>") == "<code>a&lt;b&gt;</code> &amp; &lt;c&gt;"
    assert block_markdown("`a_b` and c_d ` e") == "\\`a\\_b\\` and c\\_d \\` e"  # one backtick too many
    assert block_markdown("`a_b` and c_d") == "`a_b` and c\\_d"


def test_a_name_cannot_end_the_script(sweep: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    write_run(sweep, "a-1", record(300.0, overrides=[f"optimizer={evil}"]))
    write_run(sweep, "b-1", record(310.0, overrides=["optimizer=b"]), optimizer__lr=1)
    page = render_html(report_of(sweep))
    assert "<img src=x" not in page and "onerror=alert(1)>" not in body_of(page)
    assert page.count("</script>") == 2


def test_rows_lead_to_the_folders_of_runs(sweep: Path) -> None:
    write_run(sweep, "a-1", record(300.0))
    body = body_of(render_html(report_of(sweep)))
    assert '<a href="./a-1/">a-1</a>' in body


def test_each_ranking_has_its_own_part(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0, 303.0], "sgd": [500.0, 507.0]})
    other = {"name": "other", "dev_fingerprint": "other", "vocabulary": 7}
    for seed in range(2):
        write_run(
            sweep,
            f"o-{seed}",
            record(90.0 + seed, seed=seed, corpus=other, overrides=["optimizer=o"]),
            optimizer__lr=1,
        )
    report = report_of(sweep)
    body = body_of(render_html(report))
    parts = re.findall(r'<h2 class="part">([^<]*)</h2>', body)
    assert parts == [*(r.comparable.title for r in report.rankings), "All runs"]
    assert len(set(re.findall(r'id="(scores[^"]*|curves[^"]*)"', body))) == 3  # scores of one, curves of both
    for ranking in report.rankings:
        assert f"## {ranking.comparable.title}" in render_markdown(report)


def test_a_start_without_a_poem_is_named_once(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0], "sgd": [500.0]})
    for path in sweep.iterdir():
        text = "# 日  5\n日落。\n\n# 湖  5\n(湖 is not in the vocabulary)\n"
        (path / "poems.txt").write_text(text, encoding="utf-8")
    page = render_html(report_of(sweep))
    assert "日落" in page and "is not in the vocabulary" not in page
    assert body_of(page).count("No poem begins with 湖") == 1
