"""The page in a real browser: a poem is composed, an error is shown, and nothing leaves the machine."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tangsweep.demo.form_values import FormValues
from tangsweep.files import REPOSITORY
from tests.chromium import CHROMIUM, DRIVER, opened, requested, waited
from tests.conftest import Ran

RUN = ("corpus=sample", "data.poems=60", "model.hidden_size=8", "trainer.max_epochs=1", "logger=csv",
       "poems.starts='山'")  # fmt: skip
# Runs in the server before anything else: whoever it connects to is written down.
WATCH = """
import os, socket
connect = socket.socket.connect
def watched(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        with open(os.environ["CONNECTED"], "a") as file:
            file.write(repr(address) + chr(10))
    return connect(self, address)
socket.socket.connect = watched
"""
pytestmark = pytest.mark.slow
needs_chromium = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium here")


def heeding() -> None:
    """A background job ignores Ctrl-C, and so would everything that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Page:
    """The page in the browser, by the ids of its parts."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def wait(self, condition: Callable[[], Any], seconds: float = 120) -> Any:
        return waited(self.browser, condition, seconds)

    def find(self, selector: str) -> list[Any]:
        return self.browser.find_elements("css selector", selector)

    def choose(self, group: str, label: str) -> None:
        [option] = [e for e in self.find(f"#{group} label") if label in e.text]
        option.click()

    def write(self, text: str) -> None:
        [field] = self.find("#text textarea, #text input")
        field.clear()
        field.send_keys(text)

    def compose(self, until: Callable[[], Any]) -> None:
        """Press the button and wait for the answer."""
        self.find("#compose")[0].click()
        self.wait(until)

    @property
    def lines(self) -> list[str]:
        script = """return [...document.querySelectorAll('#poem .line')].map(
            line => [...line.querySelectorAll('.c')].map(c => c.firstChild.textContent).join(''))"""
        return self.browser.execute_script(script)

    @property
    def plain(self) -> str:
        """The plain text without its punctuation."""
        return re.sub("[，。\n]", "", self.find("#plain textarea")[0].get_property("value"))


@pytest.fixture
def browser() -> Iterator[Any]:
    with opened(1300, 1100) as driver:
        yield driver


@pytest.fixture
def served(home: Path, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Starts the page on a free port: its address. Whoever the server connects to ends the test."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    connected = tmp_path / "connected"
    environment = {
        **os.environ,
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9"),  # no download of a corpus
        "PYTHONPATH": str(tmp_path / "watch"),
        "CONNECTED": str(connected),
    }
    started = []

    def start() -> str:
        command = [sys.executable, "-m", "tangsweep.demo", "--port", "0", "--quiet"]
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=REPOSITORY / "src",
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=heeding,
        )
        started.append(process)
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert address is not None
        return address[0]

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert not connected.exists(), connected.read_text()


@needs_chromium
def test_the_page(train: Callable[..., Ran], served: Callable[[], str], browser: Any, home: Path) -> None:
    train(base=RUN)
    address = served()
    page = Page(browser)
    browser.get(address)
    page.wait(lambda: page.find("#compose"))
    # The page fills the menu after it is drawn.
    page.wait(
        lambda: page.find("#run input")[0].get_property("value").startswith("the bundled model (dev ppl ")
    )
    page.find("#run input")[0].click()
    page.wait(lambda: len(page.find("[role=option]")) == 2)  # a run of one's own is offered beside it
    page.find("[role=option]")[0].click()
    page.wait(lambda: "Pairs of lines that should rhyme" in page.find("#figures")[0].text)
    page.wait(lambda: len(page.lines) == 4)  # it opens with a poem: 七絕, from 山, with rhymes and tones
    assert "one in 100" in page.find("#poem .legend")[0].text
    assert [len(line) for line in page.lines] == [7] * 4
    assert page.lines[0][0] == "山"
    assert "韻" in page.find("#poem figcaption")[0].text
    page.wait(lambda: page.plain == "".join(page.lines))
    tip = page.find("#poem .c:nth-child(3) .tip")[0]
    assert not tip.is_displayed()
    from selenium.webdriver import ActionChains

    ActionChains(browser).move_to_element(page.find("#poem .c:nth-child(3)")[0]).perform()
    page.wait(tip.is_displayed)
    assert len(re.findall(r"%", tip.text)) >= 4
    page.wait(lambda: page.find("#download")[0].is_enabled())

    browser.refresh()
    page.wait(lambda: page.find("#compose") and page.find("#compose")[0].is_displayed())
    page.wait(lambda: len(page.lines) == 4)
    page.choose("form", "wujue")
    page.choose("begins", "acrostic")
    page.write("山风水月")
    page.find("#rhyme input")[0].click()
    page.find("#down input")[0].click()
    page.compose(lambda: [line[0] for line in page.lines] == ["山", "風", "水", "月"])
    assert [len(line) for line in page.lines] == [5] * 4
    assert page.find("#poem .down")

    for text, complaint in (
        ("山水", "fewer characters"),
        ("山水风月", "is oblique (仄), but"),
        ("<img src=x onerror=alert(1)>", "more characters"),
    ):
        page.write(text)
        page.compose(lambda complaint=complaint: complaint in page.find("#message")[0].text)
        page.wait(lambda: not page.find("#poem .c"))
    assert "<img src=x" in page.find("#message .mistake")[0].text  # shown, not run
    assert not page.find("#message img")

    outside = {u for u in requested(browser) if not u.startswith((address, "data:", "blob:"))}
    assert not outside
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@needs_chromium
def test_without_a_run_it_opens_with_a_poem_of_the_bundled_model(
    served: Callable[[], str], browser: Any, home: Path
) -> None:
    """Nobody clicks, nothing is trained, and nothing is downloaded."""
    page = Page(browser)
    browser.get(served())
    page.wait(lambda: [len(line) for line in page.lines] == [7] * 4)
    assert page.lines[0][0] == "山"
    page.wait(lambda: "Pairs of lines that should rhyme" in page.find("#figures")[0].text)
    assert page.find("#compose")[0].is_enabled()
    assert page.find("#notice")[0].text == ""
    assert not (home / "outputs").exists()


def test_a_small_model_opens_with_a_poem_too(train: Callable[..., Ran], home: Path) -> None:
    """It does not know the first character that the form holds: the poem begins with anything, and says so."""
    pytest.importorskip("gradio")
    from tangsweep.demo import page

    [_, *values] = FormValues("qijue", 7, 4, "start", "山", True, "any", False, False, 0.8, 1, 1, 0, False)
    folder = train(base=RUN).folder.path
    name = f"{folder.parent.name}/{folder.name}"
    message, poem, plain, _ = page._compose_first(name, "qijue", *values)
    assert (message.count("modern"), poem.count('class="line"'), plain[0]) == (1, 4, "山")
    values[3] = "龘"
    complaint, nothing, _, _ = page._compose(name, "qijue", *values)
    assert "龘" in complaint and not nothing
    message, poem, plain, _ = page._compose_first(name, "qijue", *values)
    assert "龘" in message and "so this poem begins with anything" in message
    assert poem.count('class="line"') == 4


def test_it_answers_this_machine_alone_under_its_own_name(served: Callable[[], str]) -> None:
    address = served()
    port = int(address.rpartition(":")[2])
    answer = requests.get(address, timeout=30)
    assert answer.status_code == 200
    assert "connect-src 'self'" in answer.headers["content-security-policy"]
    for path in ("/", "/config", "/gradio_api/info"):
        elsewhere = requests.get(address + path, headers={"Host": "evil.example"}, timeout=30)
        assert elsewhere.status_code == 400
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which address would be used
        own = probe.getsockname()[0]
    if not own.startswith("127."):
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect((own, port))


@pytest.mark.parametrize("port", ["-1", "70000"])
def test_an_invalid_port(home: Path, port: str) -> None:
    command = [sys.executable, "-m", "tangsweep.demo", "--port", port, "--quiet"]
    done = subprocess.run(command, cwd=REPOSITORY / "src", capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        f"error: --port {port} is invalid: it must be from 0 to 65535\n",
    )
