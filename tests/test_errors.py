"""The wording of errors: the nearest name, one line, and what to lower when memory runs out."""

import pytest

from tangsweep.errors import UserError, describe_error, did_you_mean, first_line


@pytest.mark.parametrize(
    ("name", "names", "hint"),
    [
        ("adm", ["adadelta", "adam", "adamw", "sgd"], "did you mean adam? "),
        ("optimzer", ["seed", "optimizer"], "did you mean optimizer? "),
        ("lion", ["adam", "sgd"], ""),
        ("adam", [], ""),
    ],
)
def test_the_nearest_name_is_suggested(name: str, names: list[str], hint: str) -> None:
    assert did_you_mean(name, names) == hint
    assert did_you_mean(name, iter(names)) == hint


def test_the_first_line_has_no_full_stop() -> None:
    assert first_line(ValueError("\nNo connection.\nTry again.\n")) == "No connection"
    assert first_line(ValueError()) == ""


def test_a_users_mistake_is_described_by_its_text() -> None:
    assert describe_error(UserError("seed=x is invalid")) == "seed=x is invalid"
    assert describe_error(ZeroDivisionError("by 0")) == "ZeroDivisionError('by 0')"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_keys_to_lower_are_named_where_memory_runs_out(error: Exception) -> None:
    description = describe_error(error)
    assert description.startswith("out of memory: lower data.batch_size, ")
    assert type(error).__name__ in description
    assert len(description.splitlines()) == 1
