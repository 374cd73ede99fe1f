"""The config of every job of a sweep: Hydra composes once for each choice of groups, values come on top.

What was composed is kept in a cache for the next command, under the content of all config files.
"""

import contextlib
import copy
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import hydra
import omegaconf
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from tangsweep.config.run_config import COMMAND_OPTIONS
from tangsweep.errors import UserError
from tangsweep.files import atomic_write, data_folder

FORMAT = 1  # raise it whenever the same files and overrides would give another config
KEPT = 5  # cache files, the newest: one for every content of the config files
RESOLVED_OUTSIDE = re.compile(r"\$\{\s*(?:[^}]*:|hydra\b)")  # `${oc.env:HOME}` is not in the files


class Composer:
    """Composes what Hydra's loader composes for one job of a sweep, without Hydra's own part.

    Where a config or an override says what is not in the files, an environment variable for example,
    nothing is cached.
    """

    def __init__(self, loader: Any, master: DictConfig) -> None:
        self._loader, self._master = loader, master
        self._parse = cache(OverridesParser.create(loader).parse_override)
        self._bases: dict[tuple[str, ...], DictConfig] = {}
        self._file = self._cache_file()
        self._known: dict[str, Any] = self._read()  # by overrides
        self._grown = False

    def plain(self, overrides: Sequence[str]) -> dict[str, Any]:
        """The job's config, resolved, as plain values.

        What says only what the command does comes last, so that a plan and its sweep share the cache.
        """
        late = [text for text in overrides if text.partition("=")[0] in COMMAND_OPTIONS]
        config = self._remembered([text for text in overrides if text not in late])
        return config | {text.partition("=")[0]: self._parse(text).value() for text in late}

    def _remembered(self, overrides: Sequence[str]) -> dict[str, Any]:
        key = "\n".join(overrides)
        if key not in self._known:
            if self._file is None or RESOLVED_OUTSIDE.search(key):
                return self._composed(overrides)
            self._known[key], self._grown = self._composed(overrides), True
        return copy.deepcopy(self._known[key])

    def save(self) -> None:
        """Keep what was composed for the next command."""
        if self._file is None or not self._grown:
            return
        with contextlib.suppress(OSError, UserError):  # no cache is no reason to stop
            self._file.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self._file, json.dumps(self._known))
            others = sorted(self._file.parent.glob("composed-*.json"), key=lambda p: -p.stat().st_mtime)
            for path in others[KEPT:]:
                path.unlink(missing_ok=True)

    def _composed(self, overrides: Sequence[str]) -> dict[str, Any]:
        """As Hydra does: the choices of groups make the config, then values are set in their order."""
        parsed = [self._parse(text) for text in overrides]
        chosen = tuple(o.input_line or "" for o in parsed if self._is_group(o))
        if chosen not in self._bases:
            composed = self._loader.load_sweep_config(self._master, list(chosen))
            with open_dict(composed):
                del composed["hydra"]
            self._bases[chosen] = composed
        config = copy.deepcopy(self._bases[chosen])
        self._loader._apply_overrides_to_config([o for o in parsed if not self._is_group(o)], config)
        plain: Any = OmegaConf.to_container(config, resolve=True)
        return plain

    def _is_group(self, override: Override) -> bool:
        return override.package is not None or self._loader.repository.group_exists(override.key_or_group)

    def _cache_file(self) -> Path | None:
        paths = self._config_files()
        try:
            texts = [path.read_bytes() for path in paths]
        except OSError:
            return None
        if any(RESOLVED_OUTSIDE.search(text.decode("utf-8", "replace")) for text in texts):
            return None
        job, overrides = self._master.hydra.job, self._master.hydra.overrides
        digest = hashlib.sha256(
            f"{FORMAT} {hydra.__version__} {omegaconf.__version__} {job.config_name} "
            f"{list(overrides.hydra)}".encode()
        )
        for path, text in zip(paths, texts, strict=True):
            digest.update(b"\0".join([str(path).encode(), text, b""]))
        return data_folder() / "cache" / f"composed-{digest.hexdigest()[:16]}.json"

    def _config_files(self) -> list[Path]:
        folders = {
            Path(source.path, source.scheme() if source.scheme() == "sweeps" else "")
            for source in self._loader.get_sources()
            if source.scheme() in ("file", "sweeps")
        }
        found = ((folder, path) for folder in folders for path in folder.rglob("*.yaml"))
        own = ((path.relative_to(folder), path) for folder, path in found)
        return sorted(path for name, path in own if name.parts[0] != "hydra" and name.name[0] != ".")

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self._file.read_text(encoding="utf-8")) if self._file else {}
        except (OSError, ValueError):
            return {}


class Planned:
    """Hydra's loader as launchers see it: each job gets the config that was checked before the first began.

    A file of conf/ that is edited while a sweep runs changes no run of it. Pickles as Hydra's own loader:
    a launcher that composes elsewhere does so from the files there.
    """

    def __init__(self, loader: Any, composer: Composer) -> None:
        self._loader, self._composer = loader, composer
        self._template: DictConfig | None = None  # with Hydra's part, which all jobs share

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __reduce__(self) -> Any:
        return _itself, (self._loader,)

    def load_sweep_config(self, master: DictConfig, overrides: Sequence[str]) -> DictConfig:
        """Hydra's part of the first job, with these overrides in it, and the job's own config."""
        if self._template is None:
            self._template = self._loader.load_sweep_config(master, list(overrides))
        config = OmegaConf.create(self._composer.plain(overrides))
        with open_dict(config):
            config.hydra = copy.deepcopy(self._template.hydra)
            config.hydra.overrides.task = list(overrides)
            config.hydra.job.override_dirname = ",".join(overrides)
        OmegaConf.set_struct(config, True)
        return config


def _itself(loader: Any) -> Any:
    return loader
