"""The report's page in a real browser: every chart is drawn, switches work, no request leaves the file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tangsweep.reporting.build import report_on, write_report
from tests.chromium import CHROMIUM, DRIVER, opened, requested, waited
from tests.reporting.written_sweeps import CORPUS, record, write_optimizer_runs, write_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium here"),
]
DESK, PHONE = (1300, 900), (390, 800)


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def browser(request: pytest.FixtureRequest) -> Iterator[Any]:
    with opened(*request.param) as driver:
        yield driver


def lines(browser: Any, chart: str) -> list[str]:
    """The paths of a chart's lines, in order."""
    script = "return [...document.querySelectorAll(`#${arguments[0]} .mark-line path`)].map(p => p.getAttribute('d'))"
    return browser.execute_script(script, chart)


def axis_titles(browser: Any, chart: str) -> set[str]:
    script = "return [...document.querySelectorAll(`#${arguments[0]} .role-axis-title text`)].map(t => t.textContent)"
    return set(browser.execute_script(script, chart))


def first_cells(browser: Any, section: str) -> list[str]:
    script = "return [...document.querySelectorAll(`#${arguments[0]} .tabulator-row .tabulator-cell:first-child`)].map(c => c.textContent)"
    return browser.execute_script(script, section)


def section_of(browser: Any, title: str) -> str:
    script = "return [...document.querySelectorAll('section')].find(s => s.firstChild.textContent === arguments[0]).id"
    return browser.execute_script(script, title)


def drawn_charts(browser: Any, page: Path) -> set[str]:
    """Open the page and wait until its charts are drawn; return their names."""
    browser.get(page.as_uri())
    charts = {c.get_attribute("id") for c in browser.find_elements("css selector", ".chart")}
    waited(browser, lambda: len(browser.find_elements("css selector", ".chart[data-drawn]")) == len(charts))
    return charts


def sweep(home: Path) -> Path:
    folder = home / "outputs" / "s"
    write_optimizer_runs(folder, {"sgd": [500.0, 510.0], "adam": [400.0, 410.0], "rmsprop": [405.0, 409.0]})
    for rate in (0.1, 1.0):
        for seed in (0, 1):
            result = record(
                300 + 100 * rate + seed, seed=seed, overrides=["optimizer=sgd", f"optimizer.lr={rate}"]
            )
            write_run(folder, f"lr-{rate}-{seed}", result, optimizer__lr=rate)
    lost = record(
        None, seed=0, overrides=["optimizer=adam", "optimizer.lr=9"], status="diverged", dev=None, train=None
    )
    write_run(folder, "lost-0", lost, (7.0, 8.0), optimizer__lr=9, optimizer___target_="torch.optim.adam")
    for poems in (50, 500, 5_000):
        corpus = {**CORPUS, "characters": {"train": 50 * poems, "dev": 700}}
        write_run(
            folder,
            f"poems-{poems}",
            record(600 - poems / 100, corpus=corpus, overrides=[f"data.poems={poems}"]),
            data__poems=poems,
        )
    write_run(
        folder, "zeros-1", record(550.0, overrides=["init=zeros"]), init__scheme={"_target_": "uniform"}
    )
    (folder / "zeros-1" / "poems.txt").write_text("# 日  5\n日。\n", encoding="utf-8")
    return folder


def write_page(home: Path) -> Path:
    folder = sweep(home)
    _, report = report_on([folder])
    return write_report(report, folder, pictures=False)[0]


def test_the_page(home: Path, browser: Any) -> None:
    page = write_page(home)
    charts = drawn_charts(browser, page)
    assert charts == {
        "scores",
        "curves",
        "setting_curves",
        "learning_rates",
        "sizes",
        "first_epoch",
        "distinct_units",
    }

    # Of each of two sides: a line a run and one a group, and all of them move when the axis is switched.
    groups = len(browser.find_elements("css selector", "#setting_curves .role-legend-symbol path"))
    before = lines(browser, "setting_curves")
    assert len(before) == 2 * (15 + groups)
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("css selector", "#setting_curves select")).select_by_visible_text("seconds")
    waited(browser, lambda: "seconds" in axis_titles(browser, "setting_curves"))
    assert axis_titles(browser, "setting_curves") >= {"development perplexity", "training perplexity"}
    against_seconds = lines(browser, "setting_curves")
    smoothing = "const s = document.querySelector('#setting_curves input[type=range]'); s.value = 2; s.dispatchEvent(new Event('input'))"
    browser.execute_script(smoothing)
    waited(browser, lambda: lines(browser, "setting_curves") != against_seconds or None)

    symbols = browser.find_elements("css selector", "#setting_curves .role-legend-symbol path")
    opacity = "return [...document.querySelectorAll('#setting_curves .mark-line path')].map(p => p.getAttribute('stroke-opacity'))"
    clear = browser.execute_script(opacity)
    browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", symbols[0])
    waited(browser, lambda: browser.execute_script(opacity) != clear or None)

    wide = browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert wide  # tables and charts scroll inside themselves, never the page
    urls = requested(browser)
    assert {url for url in urls if not url.startswith(("file:", "data:", "blob:"))} == set()
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_the_first_screen_answers(home: Path, browser: Any) -> None:
    """Question, answer and picture lie on the first screen, whole on a desk."""
    page = write_page(home)
    drawn_charts(browser, page)
    height = browser.execute_script("return window.innerHeight")
    bottom = "return document.querySelector(arguments[0]).getBoundingClientRect().bottom"
    assert browser.execute_script(bottom, ".answer") < height
    is_phone = browser.execute_script("return window.innerWidth < 700")
    shown = "#scores svg" if is_phone else ".rests"
    top = browser.execute_script(
        "return document.querySelector(arguments[0]).getBoundingClientRect().top", shown
    )
    assert top < height


def test_tables_sort_and_choose_their_columns(home: Path, browser: Any) -> None:
    page = write_page(home)
    drawn_charts(browser, page)
    section = section_of(browser, "Ranking")
    ranked = waited(browser, lambda: first_cells(browser, section))
    titles = "return [...document.querySelectorAll(`#${arguments[0]} .tabulator-col`)].filter(c => c.offsetParent).map(c => c.querySelector('.tabulator-col-title').textContent)"
    headings = browser.execute_script(titles, section)
    assert "training seconds" not in headings and "best epoch" in headings
    click = "[...document.querySelectorAll(`#${arguments[0]} .tabulator-col`)][1].click()"
    browser.execute_script(click, section)
    browser.execute_script(click, section)  # the second time the other way round
    waited(browser, lambda: first_cells(browser, section) != ranked or None)
    assert sorted(first_cells(browser, section)) == sorted(ranked)

    menu = "document.querySelector(`#${arguments[0]} .tabulator-header-popup-button`).dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    browser.execute_script(menu, section)
    choose = "const i = [...document.querySelectorAll('.tabulator-menu-item')].find(i => i.textContent.includes(arguments[0])); if (i) i.click(); return Boolean(i)"
    waited(browser, lambda: browser.execute_script(choose, "training seconds"))
    waited(browser, lambda: "training seconds" in browser.execute_script(titles, section))


def test_two_configs_stand_side_by_side(home: Path, browser: Any) -> None:
    from selenium.webdriver.support.ui import Select

    page = write_page(home)
    drawn_charts(browser, page)
    first, second = (Select(e) for e in browser.find_elements("css selector", ".configs select"))
    first.select_by_visible_text("lr-0.1-0")
    second.select_by_visible_text("lr-1.0-1")
    rows = browser.execute_script(
        "return [...document.querySelectorAll('.configs tr.differs')].map(r => [...r.cells].map(c => c.textContent))"
    )
    assert rows == [["optimizer.lr", "0.1", "1.0"], ["seed", "0", "1"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_readable_in_both_schemes(home: Path, browser: Any, scheme: str) -> None:
    """Contrast of all texts, those of charts included, with what lies behind them: 4.5 or more (WCAG AA)."""
    page = write_page(home)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    drawn_charts(browser, page)
    colours = browser.execute_script(
        """
        const paper = getComputedStyle(document.body).backgroundColor;
        const texts = [...document.querySelectorAll("h1, p, li, td, .tabulator-cell, .tabulator-col-title, figcaption, a, summary")]
          .filter(e => e.offsetParent && e.textContent.trim()).map(e => getComputedStyle(e).color);
        const labels = [...document.querySelectorAll(".role-axis-label text, .role-legend-label text")]
          .filter(e => Number(e.getAttribute("opacity") ?? 1) > 0).map(e => getComputedStyle(e).fill);
        return [paper, [...new Set([...texts, ...labels])]];
        """
    )
    paper, inks = colours
    assert len(inks) >= 3
    assert {ink: contrast(ink, paper) for ink in inks if contrast(ink, paper) < 4.5} == {}


def contrast(ink: str, paper: str) -> float:
    lights = sorted((luminance(ink), luminance(paper)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(1, 2, 3)`, as WCAG 2 defines it."""
    channels = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
