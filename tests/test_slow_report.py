"""The report's page in a real browser: every chart is drawn, switches work, no request leaves the file."""

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


def labels(browser: Any, chart: str) -> list[str]:
    script = "return [...document.querySelectorAll(`#${arguments[0]} .role-axis-label text`)].map(t => t.textContent)"
    return browser.execute_script(script, chart)


def axis_titles(browser: Any, chart: str) -> set[str]:
    script = "return [...document.querySelectorAll(`#${arguments[0]} .role-axis-title text`)].map(t => t.textContent)"
    return set(browser.execute_script(script, chart))


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


def test_the_page(home: Path, browser: Any) -> None:
    folder = sweep(home)
    _, report = report_on([folder])
    page = write_report(report, folder, pictures=False)[0]
    browser.get(page.as_uri())
    charts = [c.get_attribute("id") for c in browser.find_elements("css selector", ".chart")]
    assert set(charts) == {"curves", "learning_rates", "sizes", "first_epoch", "distinct_units"}
    waited(browser, lambda: len(browser.find_elements("css selector", ".chart[data-drawn]")) == len(charts))

    # Of each of two sides: a line a run and one a group, and all of them move when an axis is switched.
    runs, groups = 15, report.tables["ranking"]["group"].nunique()
    before = lines(browser, "curves")
    assert len(before) == 2 * (runs + groups)
    ticks = labels(browser, "curves")
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("css selector", "#curves select")).select_by_visible_text("seconds")
    waited(browser, lambda: labels(browser, "curves") != ticks)
    assert axis_titles(browser, "curves") >= {"seconds", "nats per character"}
    against_seconds = lines(browser, "curves")
    browser.find_element("css selector", "#curves input[type=checkbox]").click()
    waited(browser, lambda: lines(browser, "curves") != against_seconds or None)
    symbols = browser.find_elements("css selector", "#curves .mark-symbol.role-legend-symbol path")
    assert len(symbols) == groups

    opacity = "return [...document.querySelectorAll('#curves .mark-line path')].map(p => p.getAttribute('stroke-opacity'))"
    clear = browser.execute_script(opacity)
    browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", symbols[0])
    waited(browser, lambda: browser.execute_script(opacity) != clear or None)

    wide = browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert wide  # tables and charts scroll inside themselves, never the page
    urls = requested(browser)
    assert {url for url in urls if not url.startswith(("file:", "data:", "blob:"))} == set()
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
