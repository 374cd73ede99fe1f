"""Reading poems, and where they are found: with an HTTP server on this machine, never with a network."""

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from tangsweep.corpora import download, tang
from tangsweep.corpora.tang import PoemSource, find_poems
from tangsweep.errors import UserError
from tangsweep.files import BUNDLED_SAMPLE

GOOD = [{"author": "a", "title": "t", "paragraphs": ["甲乙，丙丁。", "戊己。"], "id": "1"}]


def write_json(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_poem_is_read_as_the_file_holds_it(tmp_path: Path) -> None:
    [poem] = tang.parse_poem_file(write_json(tmp_path / "p.json", GOOD))
    assert poem == tang.Poem("1", "a", "t", ("甲乙，丙丁。", "戊己。"))
    assert poem.text == "甲乙，丙丁。戊己。"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{", "not a complete JSON file"),
        ("", "not a complete JSON file"),
        ("[" * 100_000, "not a complete JSON file"),
        ([], "does not hold a list of poems"),
        ({"a": 1}, "does not hold a list of poems"),
        ([{"content": ["x"]}], "another schema"),
        ([{"paragraphs": [1], "id": "x"}], "another schema"),
        ([{"paragraphs": ["x"]}], "another schema"),
    ],
)
def test_an_error_names_the_file(tmp_path: Path, content: object, message: str) -> None:
    path = write_json(tmp_path / "poet.json", content)
    with pytest.raises(UserError, match=message) as raised:
        tang.parse_poem_file(path)
    assert str(path) in str(raised.value)


def test_files_are_opened_only_as_needed(tmp_path: Path) -> None:
    first = write_json(tmp_path / "0.json", GOOD * 3)
    assert len(tang.read_poems(iter([first, tmp_path / "missing.json"]), 2)) == 3
    second = write_json(tmp_path / "1.json", GOOD)
    assert len(tang.read_poems(iter([first, second, tmp_path / "missing.json"]), 2, last=3)) == 3
    assert len(tang.read_poems(iter([first, second, tmp_path / "missing.json"]), 2, last=4)) == 4
    assert len(tang.read_poems(iter([first, tmp_path / "missing.json"]), 2, last=9)) == 3
    with pytest.raises(UserError, match=r"missing\.json is missing"):
        tang.read_poems(iter([first, tmp_path / "missing.json"]), 4)


def test_the_fingerprint_depends_on_every_poem() -> None:
    one, other = tang.Poem("1", "", "", ("甲",)), tang.Poem("1", "", "", ("乙",))
    fingerprints = {
        tang.PoemCorpus("n", poems, "", True).fingerprint
        for poems in [(one,), (other,), (one, other), (other, one)]
    }
    assert len(fingerprints) == 4


def test_all_of_tang(tang_folder: Path) -> None:
    poems = tang.read_poems((tang_folder / tang.FOLDER / name for name in tang.FILE_NAMES), None)
    assert len(poems) == 57_607
    assert sum(len(p.text) for p in poems) == 3_668_082
    assert sum(not p.text for p in poems) == 4


CLOSED_PORT = "http://127.0.0.1:9/"  # the discard port: refuses at once


class FileServer(NamedTuple):
    url: str
    folder: Path
    requests: list[str]


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    folder = tmp_path_factory.mktemp("served")
    requests: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            requests.append(self.path)

    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield FileServer(f"http://127.0.0.1:{http.server_port}/", folder, requests)
    http.shutdown()
    http.server_close()
    thread.join()


def poems_json(count: int, mark: str = "甲") -> str:
    return json.dumps([{"id": str(i), "paragraphs": [f"{mark}{i}。"]} for i in range(count)])


def publish(server: FileServer, monkeypatch: pytest.MonkeyPatch, *files: str) -> None:
    """Put files on the server and make their checksums the published ones."""
    checksums = {}
    for name, content in zip(tang.FILE_NAMES, files, strict=False):
        (server.folder / name).write_text(content)
        checksums[f"{tang.FOLDER}/{name}"] = hashlib.sha256(content.encode()).hexdigest()
    monkeypatch.setattr(download, "published_checksums", lambda: checksums)


def test_only_the_files_needed_are_downloaded_and_only_once(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    publish(server, monkeypatch, poems_json(3), poems_json(3, "乙"), poems_json(3, "丙"))
    corpus = find_poems(PoemSource("tang", url=server.url), 5)
    assert (corpus.name, corpus.verified, corpus.fallback) == ("tang", True, "")
    assert [p.text for p in corpus.poems] == ["甲0。", "甲1。", "甲2。", "乙0。", "乙1。"]
    assert [Path(r).name for r in server.requests] == ["poet.tang.0.json", "poet.tang.1000.json"]
    assert (home / "data" / tang.FOLDER / "poet.tang.0.json").exists()
    find_poems(PoemSource("tang", url=server.url), 6)
    assert len(server.requests) == 2  # from the cache


def test_a_damaged_file_in_the_cache_is_downloaded_again(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    publish(server, monkeypatch, poems_json(3))
    find_poems(PoemSource("tang", url=server.url), 3)
    path = home / "data" / tang.FOLDER / "poet.tang.0.json"
    path.write_text("[{")
    assert len(find_poems(PoemSource("tang", url=server.url), 3).poems) == 3
    [replaced] = path.parent.glob("*.replaced-*")
    assert replaced.read_text() == "[{"


def test_another_checksum_is_an_error_and_leaves_no_file(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    publish(server, monkeypatch, poems_json(3))
    (server.folder / tang.FILE_NAMES[0]).write_text(poems_json(3, "丁"))
    with pytest.raises(UserError, match="does not have the checksum"):
        find_poems(PoemSource("tang", url=server.url), 3)
    assert not (home / "data" / tang.FOLDER / tang.FILE_NAMES[0]).exists()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, CLOSED_PORT)


@pytest.mark.usefixtures("no_network")
def test_without_a_network_the_sample_replaces_the_corpus_and_says_so() -> None:
    corpus = find_poems(PoemSource("tang"), 100)
    assert corpus.name == "sample"
    assert "ProxyError" in corpus.fallback
    assert len(corpus.poems) == 100


@pytest.mark.usefixtures("no_network")
def test_a_sample_too_small_is_an_error_that_names_the_network() -> None:
    with pytest.raises(UserError, match=r"500 poems.*network was not reached.*sample holds 120"):
        find_poems(PoemSource("tang"), 500)
    with pytest.raises(UserError, match=r"121 poems.*holds 120"):
        find_poems(PoemSource("sample"), 121)


def test_a_named_address_never_falls_back(server: FileServer) -> None:
    with pytest.raises(UserError, match=r"corpus\.url cannot be reached"):
        find_poems(PoemSource("tang", url=CLOSED_PORT), 3)
    with pytest.raises(UserError, match=r"download failed \(404"):
        find_poems(PoemSource("tang", url=server.url), 3)


def test_an_altered_sample_is_not_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_poems(PoemSource("sample"), 3).verified
    shutil.copytree(BUNDLED_SAMPLE, tmp_path / "sample")
    monkeypatch.setattr(tang, "BUNDLED_SAMPLE", tmp_path / "sample")
    assert find_poems(PoemSource("sample"), 3).verified
    path = tmp_path / "sample" / tang.FOLDER / tang.FILE_NAMES[0]
    path.write_text(path.read_text(encoding="utf-8").replace("山", "水", 1), encoding="utf-8")
    assert not find_poems(PoemSource("sample"), 3).verified


def test_the_sample_has_no_root() -> None:
    with pytest.raises(UserError, match=r"drop corpus\.root"):
        find_poems(PoemSource("sample", root="/x"), 3)


@pytest.mark.parametrize("named_in", ["argument", "environment"])
def test_a_named_folder_never_falls_back(
    named_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "nowhere")
    if named_in == "environment":
        monkeypatch.setenv("TANGSWEEP_DATA", root)
    with pytest.raises(UserError, match=r"poet\.tang\.0\.json is missing"):
        find_poems(PoemSource("tang", root if named_in == "argument" else None), 5)


def test_a_named_folder_is_read_and_compared_with_the_published_sums(home: Path) -> None:
    shutil.copytree(BUNDLED_SAMPLE, home / "mine")
    corpus = find_poems(PoemSource("tang", "mine", verify=False), 7)  # relative: from home
    assert (corpus.name, len(corpus.poems), corpus.verified) == ("tang", 7, False)
    with pytest.raises(
        UserError,
        match=r"poet\.tang\.0\.json does not have the published file's checksum.*corpus\.verify=false",
    ):
        find_poems(PoemSource("tang", "mine"), 7)


def test_the_argument_takes_precedence_over_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(BUNDLED_SAMPLE, home / "mine")
    monkeypatch.setenv("TANGSWEEP_DATA", "/nowhere")
    assert len(find_poems(PoemSource("tang", "mine", verify=False), 7).poems) == 7


def test_the_published_files_are_recognized(tang_folder: Path) -> None:
    corpus = find_poems(PoemSource("tang", str(tang_folder)), 1_500)
    assert corpus.verified
    assert len(corpus.poems) == 1_500
    with pytest.raises(UserError, match="holds 57607"):
        find_poems(PoemSource("tang", str(tang_folder)), 60_000)
