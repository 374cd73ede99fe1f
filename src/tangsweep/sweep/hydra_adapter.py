"""The private parts of Hydra that this project uses, each behind a plain function.

They are those of Hydra 1.3; tests/sweep/test_hydra_adapter.py fails where another version is installed.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol, cast

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource as FileConfigSource
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobRuntime, JobStatus
from hydra.types import RunMode, TaskFunction
from hydra.version import VersionBase
from omegaconf import DictConfig
from omegaconf.basecontainer import BaseContainer

from tangsweep.command_line import describe_wrong_argument, option_names
from tangsweep.config.yaml_aliases import check_alias_sizes
from tangsweep.errors import UserError
from tangsweep.files import CONFIG_FOLDER, INSTALLED_FILES

HYDRA_VERSION = "1.3"


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise UserError for an option that Hydra does not take, or a config file that would fill memory."""
    parser = get_args_parser()
    options = option_names(parser)

    def raise_user_error(message: str) -> NoReturn:
        for argument in arguments:
            option, equals, _ = argument.partition("=")
            if equals and option.startswith("-") and option not in options:
                raise UserError(f"{argument} is no option: an override has no dashes, {argument.lstrip('-')}")
        raise UserError(describe_wrong_argument(message, options))

    parser.error = raise_user_error  # type: ignore[method-assign]
    folder = parser.parse_args(list(arguments)).config_dir
    check_alias_sizes([CONFIG_FOLDER, INSTALLED_FILES / "sweeps", *([Path(folder)] if folder else [])])


def run_job_or_sweep(
    config_folder: Path, task: TaskFunction, overrides: Sequence[str], multirun: bool
) -> Any:
    """Do what `@hydra.main` does for a command line, inside a program; return what task or sweeper returns.

    The primary config is train.yaml. A sweep file chooses a multirun itself.
    """
    check_alias_sizes([config_folder, INSTALLED_FILES / "sweeps"])
    with initialize_config_dir(str(config_folder), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        options = [*overrides, *(["hydra.mode=MULTIRUN"] if multirun else [])]
        config = hydra.compose_config(
            "train", options, RunMode.RUN, with_log_configuration=False, validate_sweep_overrides=False
        )
        if config.hydra.mode is RunMode.MULTIRUN:
            return hydra.multirun("train", task, options, with_log_configuration=False)

        def quiet_task(config: DictConfig) -> Any:
            try:
                return task(config)
            except Exception as error:
                return error  # raised below: Hydra would print a line of its own

        result = job_result(hydra.run("train", quiet_task, options, with_log_configuration=False))
    if isinstance(result, BaseException):
        raise result
    return result


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


def is_basic_launcher(launcher: object) -> bool:
    """Return whether a launcher runs its jobs one after the other, in this process."""
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    return isinstance(launcher, BasicLauncher)


class WorkerState(NamedTuple):
    """What a worker that runs composed jobs needs of Hydra."""

    instances: dict[type, Singleton]  # singletons: the version that is asked for, the job's name
    resolvers: dict[str, Callable[..., object]]  # of OmegaConf


def worker_state() -> WorkerState:
    """Return this process's state, without what composes configs.

    For these workers would import every plugin, 0.3 s.
    """
    instances = Singleton.get_state()["instances"]
    kinds: tuple[type, ...] = (VersionBase, JobRuntime)
    needed = {kind: instances[kind] for kind in kinds if kind in instances}
    return WorkerState(needed, dict(BaseContainer._resolvers))


def set_worker_state(state: WorkerState) -> None:
    """Take over `worker_state` of another process."""
    Singleton._instances.update(state.instances)
    BaseContainer._resolvers.update(state.resolvers)


def job_result(returned: JobReturn) -> object:
    """Return the return value of a job, or the exception that it raised, without raising it again."""
    return returned._return_value


def replace_job_result(returned: JobReturn, result: object) -> None:
    """Replace what a job returned or raised."""
    returned._return_value = result


def failed_job(error: Exception) -> JobReturn:
    """Return the result of a job that raised `error`."""
    return JobReturn(status=JobStatus.FAILED, _return_value=error)
