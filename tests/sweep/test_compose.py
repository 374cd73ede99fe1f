"""A composed job equals what Hydra composes, and the cache returns what was composed."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import OmegaConf

from tangsweep.files import REPOSITORY
from tangsweep.sweep.compose import Composer, PrecomposedLoader
from tests.conf.test_every_file import SWEEPS, jobs_of, sweep_file

JOBS = [
    ["seed=3", "optimizer=sgd", "optimizer.lr=0.5", "sweep.varied='a-b'"],
    ["optimizer.lr=0.5", "optimizer=sgd", "corpus=palindromes", "corpus.length=7"],
    ["experiment=book_grimms", "model.layers=3"],
    ["+optimizer.amsgrad=true", "~optimizer.lr"],
    ["scheduler=cosine", "trainer.max_epochs=7"],
    ["plan=true", "seed=1", "rerun=all", "extend=true"],
    ["poems.forms=[{chars: 3, temperature: 1}]", "samples.every=null"],
]


@pytest.fixture
def hydra() -> Iterator[tuple[Any, Any]]:
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        loader: Any = GlobalHydra.instance().config_loader()
        yield loader, loader.load_configuration("train", [], RunMode.MULTIRUN)


def composed_by_hydra(loader: Any, master: Any, job: list[str]) -> Any:
    config = loader.load_sweep_config(master, job)
    own = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
    return OmegaConf.to_container(own, resolve=True)


@pytest.mark.parametrize("job", JOBS, ids=" ".join)
def test_as_hydra_composes(hydra: tuple[Any, Any], job: list[str]) -> None:
    assert Composer(*hydra).plain(job) == composed_by_hydra(*hydra, job)


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_as_hydra_composes_the_last_job_of_every_sweep(hydra: tuple[Any, Any], path: Path) -> None:
    job = [f"sweeps={path.stem}", *jobs_of(sweep_file(path.stem))[-1]]
    assert Composer(*hydra).plain(job) == composed_by_hydra(*hydra, job)


def test_the_next_command_composes_nothing(hydra: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    first = Composer(*hydra)
    configs = [first.plain(job) for job in JOBS]
    first.save()
    monkeypatch.setattr(type(hydra[0]), "load_sweep_config", None)
    again = Composer(*hydra)
    assert [again.plain(job) for job in JOBS] == configs


def test_a_returned_config_may_be_changed(hydra: tuple[Any, Any]) -> None:
    composer = Composer(*hydra)
    composer.plain(JOBS[0])["model"]["layers"] = 99
    assert composer.plain(JOBS[0])["model"]["layers"] == 1


def test_a_job_leaves_nothing_in_the_next(hydra: tuple[Any, Any]) -> None:
    composer = Composer(*hydra)
    assert composer.plain(["model.layers=3"])["model"]["layers"] == 3
    assert composer.plain(["seed=1"])["model"]["layers"] == 1


def test_a_wrong_key_is_refused_as_hydra_does(hydra: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigCompositionException, match=r"Could not override 'optimizer\.rate'"):
        Composer(*hydra).plain(["optimizer.rate=1"])


def test_launchers_get_the_config_that_was_checked(own: Path) -> None:
    """A file edited while a sweep runs changes no run, and the key `hydra` is that of the job."""
    with initialize_config_dir(str(own), version_base="1.3"):
        loader: Any = GlobalHydra.instance().config_loader()
        master = loader.load_configuration("train", [], RunMode.MULTIRUN)
        composer = Composer(loader, master)
        precomposed = PrecomposedLoader(loader, composer)
        jobs = [["seed=4"], ["seed=5"]]
        for job in jobs:
            composer.plain(job)
        precomposed.load_sweep_config(master, jobs[0])
        (own / "train.yaml").write_text("seed: 0\nrate: 9\n", encoding="utf-8")
        config = precomposed.load_sweep_config(master, jobs[1])
        assert OmegaConf.to_container(OmegaConf.masked_copy(config, ["seed"])) == {"seed": 5}
        assert "rate" not in config
        assert config.hydra.overrides.task == ["seed=5"]
        assert pickle.loads(pickle.dumps(PrecomposedLoader(_Loader(), composer))).__class__ is _Loader


class _Loader:
    """Stands for Hydra's loader, which cannot be compared after pickling."""


@pytest.mark.parametrize("name", [".#train.yaml", ".hidden.yaml"])
def test_files_of_an_editor_are_ignored(own: Path, name: str) -> None:
    (own / name).symlink_to("nowhere")
    assert composed(own, ["seed=4"]) == {"seed": 4}


def test_a_cache_that_cannot_be_written_stops_nothing(own: Path, home: Path) -> None:
    (home / "data").write_text("in the way")
    assert composed(own, ["seed=4"]) == {"seed": 4}


@pytest.mark.parametrize(
    "text", ["${oc.env:NUMBER}", "${ oc.env:NUMBER}", "${oc.env :NUMBER}", "${ oc.decode:${ oc.env:NUMBER}}"]
)
def test_every_spelling_of_a_resolver_is_seen(own: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (own / "train.yaml").write_text(f"seed: {text}\n", encoding="utf-8")
    seeds = []
    for number in "12":
        monkeypatch.setenv("NUMBER", number)
        seeds.append(str(composed(own, [])["seed"]))
    assert seeds == ["1", "2"]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "train.yaml").write_text("seed: 0\n", encoding="utf-8")
    return folder


def composed(folder: Path, job: list[str]) -> Any:
    with initialize_config_dir(str(folder), version_base="1.3"):
        loader: Any = GlobalHydra.instance().config_loader()
        composer = Composer(loader, loader.load_configuration("train", [], RunMode.MULTIRUN))
        plain = composer.plain(job)
        composer.save()
        return plain


def test_a_changed_file_is_seen(own: Path, home: Path) -> None:
    assert composed(own, []) == {"seed": 0}
    (own / "train.yaml").write_text("seed: 1\n", encoding="utf-8")
    assert composed(own, []) == {"seed": 1}
    assert len(list((home / "data" / "cache").glob("composed-*"))) == 2


@pytest.mark.parametrize("where", ["file", "override"])
def test_the_environment_is_never_cached(
    own: Path, home: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ["seed=${oc.env:NUMBER}"] if where == "override" else []
    if where == "file":
        (own / "train.yaml").write_text("seed: ${oc.env:NUMBER}\n", encoding="utf-8")
    for number in "12":
        monkeypatch.setenv("NUMBER", number)
        assert composed(own, job) == {"seed": number}


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b": 4", b": 5"),
        lambda content: content[:-5],
        lambda content: b"[]",
        lambda content: content.splitlines()[1],
        lambda content: b"\xff" * 200,
        lambda content: b"",
    ],
    ids=["a value", "cut", "another type", "without the checksum", "not text", "empty"],
)
def test_a_changed_cache_file_is_ignored_and_written_again(
    own: Path, home: Path, change: Callable[[bytes], bytes]
) -> None:
    composed(own, ["seed=4"])
    [path] = (home / "data" / "cache").glob("composed-*")
    written = path.read_bytes()
    path.write_bytes(change(written))
    assert path.read_bytes() != written
    assert composed(own, ["seed=4"]) == {"seed": 4}
    assert path.read_bytes() == written


def test_only_the_newest_files_stay(own: Path, home: Path) -> None:
    for number in range(8):
        (own / "train.yaml").write_text(f"seed: {number}\n", encoding="utf-8")
        composed(own, [])
    assert len(list((home / "data" / "cache").glob("composed-*"))) == 5
