"""Load the learned tables of tones and rhymes from data/cache, or build them and write them there."""

import hashlib
import json
from pathlib import Path

import filelock

from tangsweep.corpora import download, tang, tone_annotation
from tangsweep.errors import UserError
from tangsweep.files import atomic_write, data_folder
from tangsweep.progress_bar import counting_bar
from tangsweep.prosody import learn_tables
from tangsweep.prosody.lookup import LearnedProsody, ModernProsody
from tangsweep.prosody.protocol import Prosody

FORMAT = 1  # increase it whenever the same files would give other tables


def cached_prosody() -> Prosody:
    """Return the learned tables if they were built before, else modern readings; nothing is downloaded."""
    return _read_cache() or ModernProsody("the learned tables have not been built")


def load_or_build_prosody(root: str | None = None) -> Prosody:
    """Return the learned tables as `load_or_build_tables` does, or modern readings if that fails."""
    try:
        return load_or_build_tables(root)
    except (download.NetworkUnreachable, UserError, OSError) as error:
        return ModernProsody(str(error))


def load_or_build_tables(root: str | None = None) -> LearnedProsody:
    """Return the learned tables from the cache, or build them from the whole corpus and its annotation.

    The corpus is read from `root`, else TANGSWEEP_DATA, else data/; what is missing there is downloaded
    (45 MB, once). Raises NetworkUnreachable without a network, UserError if the server refuses.
    """
    path = cache_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        prosody = _read_cache()
        if prosody is None:
            with counting_bar("tones and rhymes of 全唐诗") as report_progress:
                paths = tone_annotation.find_or_download_files(root, report_progress)
                annotation = tone_annotation.join_annotation(paths)
            tables = learn_tables.learn_tables(annotation)
            atomic_write(path, json.dumps(tables, ensure_ascii=False))
            prosody = LearnedProsody(**tables)
    return prosody


def _read_cache() -> LearnedProsody | None:
    """Return None if there is no cache file, or a damaged one."""
    try:
        return LearnedProsody(**json.loads(cache_path().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def cache_path() -> Path:
    """Return the cache file; its name depends on the published files and on how tables are built."""
    names = [
        f"{folder}/{name}" for folder in (tang.FOLDER, tone_annotation.FOLDER) for name in tang.FILE_NAMES
    ]
    constants = [
        FORMAT,
        learn_tables.HELD_OUT,
        learn_tables.CLEAR_MAJORITY,
        learn_tables.RESOLUTION,
        learn_tables.RANDOM_PAIRS,
    ]
    described = json.dumps([*constants, *(download.published_checksums()[name] for name in names)])
    key = hashlib.sha256(described.encode()).hexdigest()[:16]
    return data_folder() / "cache" / f"prosody-{key}.json"
