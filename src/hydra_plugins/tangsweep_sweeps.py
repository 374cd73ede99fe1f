"""Adds the folder sweeps/ to Hydra's config groups, and registers the resolver `tangsweep.outputs`."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tangsweep.errors import UserError
from tangsweep.files import INSTALLED_FILES, outputs_folder
from tangsweep.sweep import hydra_adapter  # the module: Hydra would register a class that is imported here

GROUP = "sweeps"
OmegaConf.register_new_resolver("tangsweep.outputs", lambda: str(outputs_folder()), replace=True)


class SweepsSource(hydra_adapter.FileConfigSource):
    """The folder of sweeps/ as a source of config files, with `sweeps` as its only group."""

    @staticmethod
    def scheme() -> str:
        return GROUP

    def load_config(self, config_path: str) -> ConfigResult:
        """Load the file of a sweep.

        `sweeps=NAME` always means a sweep, and the file's keys are those of the whole config: it needs
        neither `mode: MULTIRUN` nor `# @package _global_`. Raises UserError where the file holds no keys.
        """
        result = super().load_config(config_path)
        if not isinstance(result.config, DictConfig):
            raise UserError(f"{config_path}.yaml holds no keys: sweeps/README.md shows a sweep in five lines")
        OmegaConf.update(result.config, "hydra.mode", RunMode.MULTIRUN.name, force_add=True)
        result.header["package"] = result.header["package"] or "_global_"
        return result

    def is_group(self, config_path: str) -> bool:
        return config_path in ("", GROUP)

    def is_config(self, config_path: str) -> bool:
        return config_path.startswith(f"{GROUP}/") and super().is_config(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if config_path == GROUP:
            return super().list(config_path, results_filter)
        return [] if config_path or results_filter is ObjectType.CONFIG else [GROUP]


class SweepsSearchPath(SearchPathPlugin):
    """Lets `sweeps=NAME` select sweeps/NAME.yaml, from any working directory."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("tangsweep", f"{GROUP}://{INSTALLED_FILES}")
