"""Download corpus files, check them against the committed SHA256SUMS, and rename them into place."""

import logging
import sys
import time
from functools import cache
from importlib.resources import files
from pathlib import Path

import filelock

from tangsweep.errors import UserError
from tangsweep.files import checksum_of, read_regular_file

CONNECT_SECONDS, READ_SECONDS = 5, 60


class NetworkUnreachable(Exception):
    """The network or the server cannot be reached; the text gives the address and the kind of error."""


@cache
def published_checksums() -> dict[str, str]:
    """Return relative file name → sha256, from the committed list (`sha256sum` format)."""
    lines = (files("tangsweep.corpora") / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name.strip(): digest for digest, _, name in (line.partition("  ") for line in lines)}


def is_published_file(name: str, path: Path) -> bool:
    """Return whether the file equals the published one byte for byte; not where it cannot be read."""
    try:
        content = read_regular_file(path)
    except OSError:
        return False
    return published_checksums().get(name) == checksum_of(content)


def download_file(name: str, url: str, folder: Path, progress_bar: bool = True) -> Path:
    """Download `folder/name` from `url` unless it is there with the published checksum; return its path.

    A file that is there and differs is renamed, not overwritten. `progress_bar` draws one if the output is a
    terminal. Raises NetworkUnreachable without a network, and UserError if the server refuses or the
    downloaded file has another checksum.
    """
    path = folder / name
    if path.exists() and is_published_file(name, path):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(path.name + ".lock")):
        if path.exists() and not is_published_file(name, path):
            path.replace(path.with_name(f"{path.name}.replaced-{time.time_ns()}"))
        _retrieve(name, url, folder, progress_bar)
    return path


def _retrieve(name: str, url: str, folder: Path, progress_bar: bool) -> None:
    import pooch  # slow to import, and seldom needed
    import requests

    pooch.get_logger().setLevel(logging.ERROR)
    downloader = pooch.HTTPDownloader(
        progressbar=progress_bar and sys.stderr.isatty(), timeout=(CONNECT_SECONDS, READ_SECONDS)
    )
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{published_checksums()[name]}",
            path=(folder / name).parent,
            fname=Path(name).name,
            downloader=downloader,
        )
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        raise NetworkUnreachable(f"{url}: {type(error).__name__}") from error
    except requests.exceptions.RequestException as error:
        raise UserError(
            f"the download failed ({error}): try again later, or name a copy in corpus.root"
        ) from error
    except ValueError as error:  # pooch raises it for a wrong checksum
        raise UserError(
            f"{url} does not have the checksum of the published {name}: try again, "
            "or name a folder that holds a copy in corpus.root"
        ) from error
