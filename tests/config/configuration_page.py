"""Writes docs/configuration.md from the typed config and from conf/: `make docs`."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from tangsweep.cells.registry import CELLS
from tangsweep.config.identity import is_volatile
from tangsweep.config.options import Options
from tangsweep.config.run_config import RunConfig
from tangsweep.config.value_types import describe_valid_values
from tangsweep.files import REPOSITORY
from tangsweep.tasks.registry import TASKS, load_task
from tests.conftest import configured

PATH = REPOSITORY / "docs" / "configuration.md"
HEAD = """# Configuration

Every key that a run takes, with its default, its valid values and what it does.
This page is generated from the typed config (`src/tangsweep/config/`) by `make docs`; do not edit it.

Any key can be set on the command line: `python src/train.py model.hidden_size=128 trainer.max_epochs=20`.
A group takes the name of one of its files: `optimizer=adam` takes `conf/optimizer/adam.yaml`. `--help` lists them.
With `-m`, several values make a sweep: `optimizer.lr=0.1,0.01`. Hydra wants Chinese text quoted: `poems.starts="'日月'"`.
`python src/train.py --cfg job` prints the composed config.

A run is identified by its keys and its corpus. Keys marked with * do not identify it: they cannot change its
result, so a run that is done stays done when they change.
"""
PLAIN_GROUPS = (
    "model", "init", "optimizer", "scheduler", "trainer", "logger", "poems", "samples", "sweep", "search",
    "confirm", "published",
)  # fmt: skip


def page() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield HEAD
    yield "## The run and the command\n"
    own = {name: field for name, field in RunConfig.model_fields.items() if not _is_group(field, name)}
    yield from _table(own, configured(), "")
    for group in PLAIN_GROUPS:
        field = RunConfig.model_fields[group]
        assert isinstance(field.annotation, type)
        yield from _section(f"`{group}`", field.annotation, configured().get(group, {}), f"{group}.")
    for name in TASKS:
        task = load_task(name)
        values = configured(f"corpus={_corpus_of(name)}")
        yield from _section(f"`corpus`, task `{name}`", task.corpus_options, values["corpus"], "corpus.")
        yield from _section(f"`data={task.data_file}`", task.data_options, values["data"], "data.")
    for name, spec in CELLS.items():
        values = configured(f"cell={name}")
        yield from _section(f"`cell={name}`", spec.options, values["cell"], "cell.")


def _corpus_of(task: str) -> str:
    """Return a file of conf/corpus/ for a task: the default one for poems."""
    paths = sorted((REPOSITORY / "conf" / "corpus").glob("*.yaml"), key=lambda p: (p.stem != "tang", p.stem))
    contents = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths}
    return next(name for name, values in contents.items() if values.get("corpus", values)["task"] == task)


def _is_group(field: FieldInfo, name: str) -> bool:
    is_options = isinstance(field.annotation, type) and issubclass(field.annotation, Options)
    return is_options or name in ("corpus", "data")


def _section(title: str, group: type[Options], values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    yield f"\n## {title}\n"
    if group.__doc__:
        yield f"{group.__doc__.strip().splitlines()[0]}\n"
    yield from _table(group.model_fields, values, prefix)


def _table(fields: Mapping[str, FieldInfo], values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    yield "| key | default | valid | |\n|---|---|---|---|"
    yield from _rows(fields, values, prefix)


def _rows(fields: Mapping[str, FieldInfo], values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, field in fields.items():
        key = field.alias or name
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, Options):
            yield from _rows(nested.model_fields, values.get(key, {}), f"{prefix}{key}.")
            continue
        star = "*" if is_volatile(f"{prefix}{key}") else ""
        default = f"`{_format(values[key])}`" if key in values else ""
        cells = [f"`{prefix}{key}`{star}", default, describe_valid_values(field), field.description or ""]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _format(value: object) -> str:
    if isinstance(value, str):
        return value
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
        .strip()
        .removesuffix("\n...")
    )


if __name__ == "__main__":
    PATH.write_text(page() + "\n", encoding="utf-8")
