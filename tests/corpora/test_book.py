import os
from pathlib import Path

import pytest

from tangsweep import files
from tangsweep.corpora import download
from tangsweep.corpora.book import FOLDER, PUBLISHED_BOOKS, BookSource, find_book, opening_lines
from tangsweep.errors import UserError

TEXT = "Once upon a time.\n"
GUTENBERG = (
    "The Project Gutenberg EBook of X\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n\n"
    f"{TEXT}\n\nEnd of the Project Gutenberg EBook of X\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nlicence\n"
)


def source(path: Path | None = None, name: str = "grimms", **changes: object) -> BookSource:
    values = {"path": path and str(path), "root": None, "verify": True, "strip_license": True} | changes
    return BookSource(name, **values)  # type: ignore[arg-type]


def test_a_few_lines_are_prompts() -> None:
    lines = [f"  {n:02} {'x' * 50}" for n in range(23)]
    assert [line[:2] for line in opening_lines("\n\n".join(lines))] == ["00", "04", "09", "13", "18"]
    assert {len(line) for line in opening_lines("\n".join(lines))} == {40}
    assert opening_lines("one line, again\none line, again\n") == ["one line, again"]
    assert opening_lines(" \n") == []


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_any_text(tmp_path: Path, bom: str) -> None:
    (tmp_path / "my tale.txt").write_text(bom + TEXT, encoding="utf-8")
    book = find_book(source(tmp_path / "my tale.txt"))
    assert (book.name, book.text, book.verified, book.stripped) == ("my-tale", TEXT, False, 0)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("*** START OF THIS PROJECT GUTENBERG EBOOK X ***", "*** END OF THIS PROJECT GUTENBERG EBOOK X ***"),
        ("***START OF THE PROJECT GUTENBERG EBOOK X***", "***END OF THE PROJECT GUTENBERG EBOOK X***"),
        ("*** START OF THE PROJECT GUTENBERG EBOOK X ***", "End of Project Gutenberg’s X"),
    ],
)
def test_the_licence_is_stripped(tmp_path: Path, begin: str, end: str) -> None:
    path = tmp_path / "x.txt"
    path.write_text(f"head\n{begin}\n\n{TEXT}\n{end}\ntail\n", encoding="utf-8")
    book = find_book(source(path))
    assert book.text == TEXT
    assert book.stripped == len(path.read_text()) - len(TEXT)
    unstripped = find_book(source(path, strip_license=False))
    assert (unstripped.text, unstripped.stripped) == (path.read_text(), 0)
    assert unstripped.fingerprint != book.fingerprint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no text: name another"),
        (b" \n", "holds no text"),
        ("caf\xe9".encode("latin-1"), r"is not UTF-8 \(at byte 3\)"),
        (GUTENBERG.replace(TEXT, "").encode(), "holds no text but the licence"),
        (None, "is missing or not a file"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        find_book(source(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_only_regular_files_up_to_a_size_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UserError, match=r"cannot be read \(it is no regular file\): name another text"):
            find_book(source(path))
    monkeypatch.setattr(files, "MOST_BYTES", 2_000_000)
    for size, is_read in ((2_000_000, True), (2_000_001, False)):
        path = tmp_path / f"{size}.txt"
        path.write_text("x" * size)
        if is_read:
            assert len(find_book(source(path)).text) == size
        else:
            with pytest.raises(UserError, match=r"cannot be read \(it has more than 2 MB\)"):
                find_book(source(path))


def test_line_breaks_of_every_system_are_one_character(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"a\r\nb\rc\n")
    assert find_book(source(tmp_path / "x.txt")).text == "a\nb\nc\n"


def test_an_unknown_name() -> None:
    with pytest.raises(UserError, match="not a known book: choose one of grimms, democracy, don_quijote"):
        find_book(source(name="moby_dick"))


def test_a_named_folder_must_hold_the_published_edition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"grimms_fairy_tales\.txt is missing"):
        find_book(source(root=str(tmp_path)))
    path = tmp_path / FOLDER / PUBLISHED_BOOKS["grimms"].file
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    with pytest.raises(UserError, match=r"does not have the published file's checksum.*corpus\.verify=false"):
        find_book(source(root=str(tmp_path)))
    monkeypatch.setenv("TANGSWEEP_DATA", str(tmp_path))
    book = find_book(source(verify=False))
    assert (book.name, book.text, book.verified) == ("grimms", TEXT, False)


def test_without_a_network_and_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> Path:
        raise download.NetworkUnreachable("no route")

    monkeypatch.setattr(download, "download_file", unreachable)
    with pytest.raises(UserError, match=r"no route\): connect, or name a copy in corpus\.path"):
        find_book(source())


def test_every_book_has_a_checksum() -> None:
    assert {f"{FOLDER}/{b.file}" for b in PUBLISHED_BOOKS.values()} <= set(download.published_checksums())


@pytest.mark.parametrize(
    ("name", "characters", "stripped"),
    [("grimms", 520_793, 19_447), ("democracy", 1_129_001, 19_433), ("don_quijote", 2_071_776, 0)],
)
def test_the_published_books(tang_folder: Path, name: str, characters: int, stripped: int) -> None:
    book = find_book(source(name=name, root=str(tang_folder)))
    assert (len(book.text), book.stripped, book.verified) == (characters, stripped, True)
    assert "gutenberg" not in book.text[-2_000:].lower()
