"""Each function of the adapter to Hydra's private parts, on the installed Hydra."""

from collections.abc import Iterator

import hydra
import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobStatus
from omegaconf import OmegaConf

from tangsweep.files import REPOSITORY
from tangsweep.sweep import hydra_adapter


@pytest.fixture
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def test_the_installed_hydra_is_the_one_the_adapter_is_written_for() -> None:
    installed = ".".join(hydra.__version__.split(".")[:2])
    assert installed == hydra_adapter.HYDRA_VERSION, (
        f"sweep/hydra_adapter.py calls private parts of Hydra {hydra_adapter.HYDRA_VERSION}, and "
        f"{hydra.__version__} is installed: check each of its functions, then raise HYDRA_VERSION"
    )


@pytest.mark.parametrize(
    ("text", "is_group"),
    [
        ("optimizer=adam", True),
        ("optimizer.lr=1", False),
        ("seed=3", False),
        ("sweeps=inits", True),
        ("data@x=poems", True),
    ],
)
def test_group_overrides(loader: ConfigLoader, text: str, is_group: bool) -> None:
    override = OverridesParser.create(loader).parse_override(text)
    assert hydra_adapter.is_group_override(loader, override) == is_group


def test_values_are_set_in_their_order(loader: ConfigLoader) -> None:
    config = OmegaConf.create({"a": {"b": 1}, "c": 2})
    OmegaConf.set_struct(config, True)
    overrides = OverridesParser.create(loader).parse_overrides(["a.b=5", "c=3", "c=4", "+d=[1,2]"])
    hydra_adapter.apply_value_overrides(loader, overrides, config)
    assert OmegaConf.to_container(config) == {"a": {"b": 5}, "c": 4, "d": [1, 2]}


def test_config_folders(loader: ConfigLoader) -> None:
    folders = dict(hydra_adapter.config_folders(loader, ("file", "sweeps")))
    assert folders == {"file": REPOSITORY / "conf", "sweeps": REPOSITORY}


def test_the_result_of_a_job_that_raised() -> None:
    error = ValueError("x")
    returned = hydra_adapter.failed_job(error)
    assert returned.status is JobStatus.FAILED
    assert hydra_adapter.job_result(returned) is error
    hydra_adapter.replace_job_result(returned, RuntimeError("y"))
    with pytest.raises(RuntimeError, match="y"):
        _ = returned.return_value


def test_private_parts_are_used_nowhere_else() -> None:
    source = REPOSITORY / "src"
    private = ("hydra._internal", "_return_value", "._apply_overrides_to_config", ".repository.")
    for path in source.rglob("*.py"):
        if path.name == "hydra_adapter.py":
            continue
        text = path.read_text(encoding="utf-8")
        assert not [name for name in private if name in text], path
