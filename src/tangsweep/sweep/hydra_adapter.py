"""The private parts of Hydra that this project uses, each behind a plain function.

They are those of Hydra 1.3; tests/sweep/test_hydra_adapter.py fails where another version is installed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource as FileConfigSource
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

HYDRA_VERSION = "1.3"


class _GroupRepository(Protocol):
    def group_exists(self, group: str) -> bool: ...


def is_group_override(loader: ConfigLoader, override: Override) -> bool:
    """Return whether an override selects an option of a config group, rather than setting a value."""
    if override.package is not None:
        return True
    repository = cast(_GroupRepository, cast(ConfigLoaderImpl, loader).repository)
    return repository.group_exists(override.key_or_group)


def apply_value_overrides(loader: ConfigLoader, overrides: Sequence[Override], config: DictConfig) -> None:
    """Set the values of `overrides` in a composed config, in their order."""
    cast(ConfigLoaderImpl, loader)._apply_overrides_to_config(list(overrides), config)


def config_folders(loader: ConfigLoader, schemes: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield (scheme, folder) of each source of config files with one of the `schemes`."""
    for source in loader.get_sources():
        if source.scheme() in schemes:
            yield source.scheme(), Path(source.path)


def job_result(returned: JobReturn) -> object:
    """Return the return value of a job, or the exception that it raised, without raising it again."""
    return returned._return_value


def replace_job_result(returned: JobReturn, result: object) -> None:
    """Replace what a job returned or raised."""
    returned._return_value = result


def failed_job(error: Exception) -> JobReturn:
    """Return the result of a job that raised `error`."""
    return JobReturn(status=JobStatus.FAILED, _return_value=error)
