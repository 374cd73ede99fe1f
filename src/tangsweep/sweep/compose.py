"""Composes the configs of a sweep's jobs: once for each choice of config groups, with values set on top.

Composed configs are cached for the next command. The name of the cache file is a hash of all config files.
"""

import contextlib
import copy
import functools
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import omegaconf
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from tangsweep.config.run_config import COMMAND_OPTIONS
from tangsweep.errors import UserError
from tangsweep.files import data_folder, read_with_checksum, write_with_checksum
from tangsweep.sweep.hydra_adapter import apply_value_overrides, config_folders, is_group_override

CACHE_FORMAT = 1  # increase it whenever the same files and overrides would give another config
SET_LAST = (*COMMAND_OPTIONS, "sweep.stands_in", "data.test_after")  # nothing refers to these
MAX_CACHE_FILES = 5  # the newest are kept
EXTERNAL_REFERENCE = re.compile(r"\$\{\s*(?:[^}]*:|hydra\b)")  # such as `${oc.env:HOME}`

PlainConfig = dict[str, Any]


class Composer:
    """Composes the same config as Hydra's loader for one job of a sweep, without the key `hydra`.

    `master` is the config of the whole command. Nothing is cached where a config file or an override refers
    to something outside the files, such as an environment variable.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self._loader, self._master = loader, master
        self._parse = functools.cache(OverridesParser.create(loader).parse_override)
        self._bases: dict[tuple[str, ...], DictConfig] = {}
        self._cache_file = self._find_cache_file()
        self._cached: dict[str, PlainConfig] = self._read_cache()  # by overrides
        self._has_new_configs = False

    def plain(self, overrides: Sequence[str]) -> PlainConfig:
        """Return the job's config, resolved, as plain values.

        Options of the command (`plan`, `rerun`, …), and what is decided once all runs are known, are set last
        and not cached: `plan=true`, the checks before a sweep and the sweep itself share the cache.
        """
        last = [text for text in overrides if text.partition("=")[0] in SET_LAST]
        config = self._composed_or_cached([text for text in overrides if text not in last])
        for text in last:
            *groups, key = text.partition("=")[0].split(".")
            owner = functools.reduce(dict.__getitem__, groups, config)
            owner[key] = self._parse(text).value()
        return config

    def _composed_or_cached(self, overrides: Sequence[str]) -> PlainConfig:
        key = "\n".join(overrides)
        if key not in self._cached:
            if self._cache_file is None or EXTERNAL_REFERENCE.search(key):
                return self._compose(overrides)
            self._cached[key], self._has_new_configs = self._compose(overrides), True
        return copy.deepcopy(self._cached[key])

    def save(self) -> None:
        """Write the cache file for the next command, and remove old ones."""
        if self._cache_file is None or not self._has_new_configs:
            return
        with contextlib.suppress(OSError, UserError):  # the sweep needs no cache
            self._cache_file.parent.mkdir(parents=True, exist_ok=True)
            write_with_checksum(self._cache_file, json.dumps(self._cached).encode())
            files = self._cache_file.parent.glob("composed-*.json")
            for path in sorted(files, key=lambda p: -p.stat().st_mtime)[MAX_CACHE_FILES:]:
                path.unlink(missing_ok=True)

    def _compose(self, overrides: Sequence[str]) -> PlainConfig:
        """Compose as Hydra does: first the group options, then the values in their order."""
        parsed = [self._parse(text) for text in overrides]
        choices = tuple(o.input_line or "" for o in parsed if is_group_override(self._loader, o))
        if choices not in self._bases:
            composed = self._loader.load_sweep_config(self._master, list(choices))
            with open_dict(composed):
                del composed["hydra"]
            self._bases[choices] = composed
        config = copy.deepcopy(self._bases[choices])
        values = [o for o in parsed if not is_group_override(self._loader, o)]
        apply_value_overrides(self._loader, values, config)
        plain = OmegaConf.to_container(config, resolve=True)
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items()}

    def _find_cache_file(self) -> Path | None:
        """Return the cache file for the present config files; None where configs depend on other things."""
        paths = self._config_files()
        try:
            texts = [path.read_bytes() for path in paths]
        except OSError:
            return None
        if any(EXTERNAL_REFERENCE.search(text.decode("utf-8", "replace")) for text in texts):
            return None
        job, overrides = self._master.hydra.job, self._master.hydra.overrides
        digest = hashlib.sha256(
            f"{CACHE_FORMAT} {hydra.__version__} {omegaconf.__version__} {job.config_name} "
            f"{list(overrides.hydra)}".encode()
        )
        for path, text in zip(paths, texts, strict=True):
            digest.update(b"\0".join([str(path).encode(), text, b""]))
        return data_folder() / "cache" / f"composed-{digest.hexdigest()[:16]}.json"

    def _config_files(self) -> list[Path]:
        """Return every file that a run's config may come from, without the group `hydra` and hidden files."""
        sources = config_folders(self._loader, ("file", "sweeps"))
        folders = {folder / (scheme if scheme == "sweeps" else "") for scheme, folder in sources}
        files = ((path.relative_to(folder), path) for folder in folders for path in folder.rglob("*.yaml"))
        return sorted(path for name, path in files if name.parts[0] != "hydra" and name.name[0] != ".")

    def _read_cache(self) -> dict[str, PlainConfig]:
        """Return the cached configs; none where the file was changed since it was written."""
        content = read_with_checksum(self._cache_file) if self._cache_file else None
        return dict(json.loads(content)) if content else {}


class PrecomposedLoader:
    """Hydra's config loader for launchers: gives each job the config that was checked before the first began.

    So an edit to conf/ while a sweep runs changes none of its runs. Pickling gives Hydra's own loader: a
    launcher that composes on another machine reads the files there.
    """

    def __init__(self, loader: ConfigLoader, composer: Composer) -> None:
        self._loader, self._composer = loader, composer
        self._template: DictConfig | None = None  # whose key `hydra` the jobs share

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def __reduce__(self) -> tuple[object, ...]:
        return _unpickle_loader, (self._loader,)

    def load_sweep_config(self, master: DictConfig, overrides: Sequence[str]) -> DictConfig:
        """Return the job's config, with the first job's key `hydra` and these overrides in it."""
        if self._template is None:  # of a job: a sweep file sets keys of `hydra` too
            self._template = self._loader.load_sweep_config(master, list(overrides))
        config = OmegaConf.create(self._composer.plain(overrides))
        with open_dict(config):
            config.hydra = copy.deepcopy(self._template.hydra)
            config.hydra.overrides.task = list(overrides)
            config.hydra.job.override_dirname = ",".join(overrides)
        OmegaConf.set_struct(config, True)
        return config


def _unpickle_loader(loader: ConfigLoader) -> ConfigLoader:
    return loader
