"""The order of resolution, with a real HTTP server on this machine; never a network."""

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tangsweep.corpora import download, tang
from tangsweep.corpora.tang import Source, resolve
from tangsweep.errors import UserError
from tangsweep.files import BUNDLED_SAMPLE

CLOSED = "http://127.0.0.1:9/"  # the discard port: refuses at once


class Served:
    def __init__(self, url: str, folder: Path, requests: list[str]) -> None:
        self.url, self.folder, self.requests = url, folder, requests


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    requests: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            requests.append(self.path)

    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield Served(f"http://127.0.0.1:{http.server_port}/", folder, requests)
    http.shutdown()
    http.server_close()
    thread.join()


def poems(count: int, mark: str = "甲") -> str:
    return json.dumps([{"id": str(i), "paragraphs": [f"{mark}{i}。"]} for i in range(count)])


def publish(served: Served, monkeypatch: pytest.MonkeyPatch, *files: str) -> None:
    """Put files on the server and make their sums the committed ones."""
    sums = {}
    for name, content in zip(tang.FILE_NAMES, files, strict=False):
        (served.folder / name).write_text(content)
        sums[f"{tang.FOLDER}/{name}"] = hashlib.sha256(content.encode()).hexdigest()
    monkeypatch.setattr(download, "checksums", lambda: sums)


def test_download_of_just_the_files_needed_and_only_once(
    server: Served, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    publish(server, monkeypatch, poems(3), poems(3, "乙"), poems(3, "丙"))
    corpus = resolve(Source("tang", url=server.url), 5)
    assert (corpus.name, corpus.verified, corpus.fallback) == ("tang", True, "")
    assert [p.text for p in corpus.poems] == ["甲0。", "甲1。", "甲2。", "乙0。", "乙1。"]
    assert [Path(r).name for r in server.requests] == ["poet.tang.0.json", "poet.tang.1000.json"]
    assert (home / "data" / tang.FOLDER / "poet.tang.0.json").exists()
    resolve(Source("tang", url=server.url), 6)
    assert len(server.requests) == 2  # from the cache


def test_a_damaged_file_in_the_cache_is_fetched_again(
    server: Served, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    publish(server, monkeypatch, poems(3))
    resolve(Source("tang", url=server.url), 3)
    path = home / "data" / tang.FOLDER / "poet.tang.0.json"
    path.write_text("[{")
    assert len(resolve(Source("tang", url=server.url), 3).poems) == 3
    [kept] = path.parent.glob("*.replaced-*")
    assert kept.read_text() == "[{"


def test_another_checksum_is_an_error_and_leaves_no_file(
    server: Served, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    publish(server, monkeypatch, poems(3))
    (server.folder / tang.FILE_NAMES[0]).write_text(poems(3, "丁"))
    with pytest.raises(UserError, match="another checksum"):
        resolve(Source("tang", url=server.url), 3)
    assert not (home / "data" / tang.FOLDER / tang.FILE_NAMES[0]).exists()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, CLOSED)


@pytest.mark.usefixtures("no_network")
def test_without_a_network_the_sample_stands_in_and_says_so() -> None:
    corpus = resolve(Source("tang"), 100)
    assert corpus.name == "sample"
    assert "ProxyError" in corpus.fallback
    assert len(corpus.poems) == 100


@pytest.mark.usefixtures("no_network")
def test_a_sample_too_small_is_an_error_that_names_the_network() -> None:
    with pytest.raises(UserError, match=r"500 poems.*network was not reached.*sample holds 120"):
        resolve(Source("tang"), 500)
    with pytest.raises(UserError, match=r"121 poems.*holds 120"):
        resolve(Source("sample"), 121)


def test_a_named_address_never_falls_back(server: Served) -> None:
    with pytest.raises(UserError, match=r"corpus\.url cannot be reached"):
        resolve(Source("tang", url=CLOSED), 3)
    with pytest.raises(UserError, match=r"download failed \(404"):
        resolve(Source("tang", url=server.url), 3)


def test_the_sample_has_no_root() -> None:
    with pytest.raises(UserError, match=r"drop corpus\.root"):
        resolve(Source("sample", root="/x"), 3)


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_named_folder_never_falls_back(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(tmp_path / "nowhere")
    if how == "environment":
        monkeypatch.setenv("TANGSWEEP_DATA", root)
    with pytest.raises(UserError, match=r"poet\.tang\.0\.json is missing"):
        resolve(Source("tang", root if how == "argument" else None), 5)


def test_a_named_folder_is_read_and_compared_with_the_published_sums(home: Path) -> None:
    shutil.copytree(BUNDLED_SAMPLE, home / "mine")
    corpus = resolve(Source("tang", "mine", verify=False), 7)  # relative: from home
    assert (corpus.name, len(corpus.poems), corpus.verified) == ("tang", 7, False)
    with pytest.raises(UserError, match=r"poet\.tang\.0\.json has another checksum.*corpus\.verify=false"):
        resolve(Source("tang", "mine"), 7)


def test_the_argument_goes_before_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(BUNDLED_SAMPLE, home / "mine")
    monkeypatch.setenv("TANGSWEEP_DATA", "/nowhere")
    assert len(resolve(Source("tang", "mine", verify=False), 7).poems) == 7


def test_the_published_files_are_recognized(tang_folder: Path) -> None:
    corpus = resolve(Source("tang", str(tang_folder)), 1_500)
    assert corpus.verified
    assert len(corpus.poems) == 1_500
    with pytest.raises(UserError, match="holds 57607"):
        resolve(Source("tang", str(tang_folder)), 60_000)
