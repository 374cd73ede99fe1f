"""Tasks by the name that `corpus.task` has, and the validated config of a run of any of them.

Importing this module imports no task: a task's module is imported when it is first named.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from tangsweep.cells.registry import find_cell
from tangsweep.config.checks import check_combinations, check_groups
from tangsweep.config.run_config import AnyConfig, validate_config
from tangsweep.errors import UserError, did_you_mean
from tangsweep.tasks.task import AnyTask

TASKS = {
    "poems": "tangsweep.tasks.poems.PoemTask",
    "palindromes": "tangsweep.tasks.palindromes.PalindromeTask",
    "frequency": "tangsweep.tasks.frequency.FrequencyTask",
    "book": "tangsweep.tasks.books.BookTask",
}


@cache
def load_task(name: str) -> AnyTask:
    """Return the one object of the task of this name. Raises UserError where there is none."""
    if name not in TASKS:
        hint = did_you_mean(name, TASKS)
        raise UserError(f"corpus.task={name} does not exist; {hint}there are: {', '.join(TASKS)}")
    module, _, class_name = TASKS[name].rpartition(".")
    task: AnyTask = getattr(import_module(module), class_name)()
    return task


def task_of(values: Mapping[str, Any]) -> AnyTask:
    """Return the task of a composed config. Raises UserError where there is none of the name."""
    return load_task(str(values["corpus"].get("task")))


def parse_config(values: Mapping[str, Any]) -> AnyConfig:
    """Return the validated config of a run. Raises UserError, one line, for the first value that is wrong."""
    check_groups(values)
    task = task_of(values)
    cell = find_cell(values["cell"].get("name"))
    missing = set(task.data_options.model_fields) - set(values["data"])
    if missing:
        raise UserError(f"data.{min(missing)} is missing: this corpus goes with data={task.data_file}")
    config = validate_config(values, task.corpus_options, task.data_options, cell.options)
    check_combinations(config)
    task.check(config)
    return config
