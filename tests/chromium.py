"""Debian's Chromium without a screen, as a browser that tests drive; nothing is downloaded."""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
HEADLESS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextlib.contextmanager
def opened(width: int, height: int) -> Iterator[Any]:
    """A window that logs what it requests and what the console says."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in HEADLESS:
        options.add_argument(argument)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_window_size(width, height)
    try:
        yield driver
    finally:
        driver.quit()


def waited(browser: Any, condition: Callable[[], Any], seconds: float = 120) -> Any:
    """What `condition` gives, once that is something."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds, poll_frequency=0.1).until(lambda _: condition())


def requested(browser: Any) -> set[str]:
    """Every address that the browser asked for since it was last asked."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
