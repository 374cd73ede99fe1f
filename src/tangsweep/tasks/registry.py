"""Tasks by the name that `corpus.task` has."""

from tangsweep.errors import UserError
from tangsweep.tasks.books import Books
from tangsweep.tasks.frequency import FrequencyTask
from tangsweep.tasks.palindromes import PalindromeTask
from tangsweep.tasks.poems import Poems
from tangsweep.tasks.task import Config, Task

TASKS: dict[str, Task] = {
    "poems": Poems(),
    "palindromes": PalindromeTask(),
    "frequency": FrequencyTask(),
    "book": Books(),
}


def task_of(config: Config) -> Task:
    """The task of a run. Raises UserError where there is none of the name."""
    name = config["corpus"].get("task")
    if name not in TASKS:
        raise UserError(f"corpus.task={name} does not exist; there are: {', '.join(TASKS)}")
    return TASKS[name]
