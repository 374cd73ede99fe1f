"""Adds the folder sweeps/ to Hydra's config groups, and registers the resolver `tangsweep.outputs`."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from tangsweep.files import INSTALLED_FILES, outputs_folder
from tangsweep.sweep import hydra_adapter  # the module: Hydra would register a class that is imported here

GROUP = "sweeps"
OmegaConf.register_new_resolver("tangsweep.outputs", lambda: str(outputs_folder()), replace=True)


class SweepsSource(hydra_adapter.FileConfigSource):
    """The folder of sweeps/ as a source of config files, with `sweeps` as its only group."""

    @staticmethod
    def scheme() -> str:
        return GROUP

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
