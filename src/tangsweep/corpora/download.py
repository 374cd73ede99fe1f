"""Download of corpus files: each checked against the committed SHA256SUMS, then renamed into place."""

import hashlib
import logging
import sys
import time
from functools import cache
from importlib.resources import files
from pathlib import Path

import filelock

from tangsweep.errors import UserError

CONNECT_SECONDS, READ_SECONDS = 5, 60


class Unreachable(Exception):
    """The network, or the server, cannot be reached; the text says why in a few words."""


@cache
def checksums() -> dict[str, str]:
    """Relative file name → sha256, from the committed list (`sha256sum` format)."""
    lines = (files("tangsweep.corpora") / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name.strip(): digest for digest, _, name in (line.partition("  ") for line in lines)}


def matches(name: str, path: Path) -> bool:
    """Whether the file is the published one, byte for byte."""
    return checksums().get(name) == hashlib.sha256(path.read_bytes()).hexdigest()


def fetch(name: str, url: str, folder: Path, shown: bool = True) -> Path:
    """The path of `folder/name`, downloaded from `url` unless it lies there and is right.

    A file that lies there and differs is kept under another name. `shown` draws a bar on a terminal.
    Raises Unreachable without a network, UserError where the server refuses or what came has another
    checksum.
    """
    path = folder / name
    if path.exists() and matches(name, path):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(path.name + ".lock")):
        if path.exists() and not matches(name, path):
            path.replace(path.with_name(f"{path.name}.replaced-{time.time_ns()}"))
        return _download(name, url, folder, shown)


def _download(name: str, url: str, folder: Path, shown: bool) -> Path:
    import pooch  # slow to import, and seldom needed
    import requests

    pooch.get_logger().setLevel(logging.ERROR)
    downloader = pooch.HTTPDownloader(
        progressbar=shown and sys.stderr.isatty(), timeout=(CONNECT_SECONDS, READ_SECONDS)
    )
    try:
        found = pooch.retrieve(
            url,
            known_hash=f"sha256:{checksums()[name]}",
            path=(folder / name).parent,
            fname=Path(name).name,
            downloader=downloader,
        )
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        raise Unreachable(f"{url}: {type(error).__name__}") from error
    except requests.exceptions.RequestException as error:
        raise UserError(
            f"the download failed ({error}): try again later, or name a copy in corpus.root"
        ) from error
    except ValueError as error:  # pooch's word for a wrong checksum
        raise UserError(
            f"{url} has another checksum than the published {name}: try again, "
            "or name a folder that holds a copy in corpus.root"
        ) from error
    return Path(found)
