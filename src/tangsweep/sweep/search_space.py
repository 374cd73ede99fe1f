"""The space of a search: what each value that is compared may be tuned over, from overrides with ranges."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from pydantic import TypeAdapter

from tangsweep.config.overrides import DATA_GROUPS, SEED_KEYS, distinguishes_runs, is_compared_key
from tangsweep.errors import UserError
from tangsweep.sweep.grid import expand_grid, is_continuous

DIGITS = 4  # significant ones of a number that is proposed
RANGE_TAGS = ("log", "int")
NEEDS_RANGE = "a search needs a range: optimizer.lr=tag(log,interval(1e-4,1))"


class Range(NamedTuple):
    """A number between two others, both included."""

    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: float | None = None  # from `low`; None: any number, or for whole numbers 1

    def text(self, value: float) -> str:
        """Return a value as an override has it, rounded and within the range."""
        if self.whole:
            return str(int(value))
        digits = DIGITS if self.step is None else 12
        return repr(min(max(float(f"{value:.{digits}g}"), self.low), self.high))

    def at(self, fraction: float) -> str:
        """Return the value at a fraction in [0, 1) of the range, as an override has it."""
        if self.whole or self.step is not None:
            step = self.step or 1
            if self.log:
                value = math.exp(_between(math.log(self.low - 0.5), math.log(self.high + 0.5), fraction))
                return self.text(min(max(round(value), self.low), self.high))
            return self.text(self.low + step * int(fraction * (round((self.high - self.low) / step) + 1)))
        if self.log:
            return self.text(math.exp(_between(math.log(self.low), math.log(self.high), fraction)))
        return self.text(_between(self.low, self.high, fraction))


class Choice(NamedTuple):
    """One of several values, as overrides have them."""

    key: str
    values: tuple[str, ...]

    def at(self, fraction: float) -> str:
        """Return the value at a fraction in [0, 1) of the list."""
        return self.values[int(fraction * len(self.values))]


Parameter = Range | Choice


def _between(low: float, high: float, fraction: float) -> float:
    return low + (high - low) * fraction


class Branch(NamedTuple):
    """Fixed overrides, and what is tuned beside them."""

    fixed: tuple[str, ...]
    parameters: tuple[Parameter, ...]


class Arm(NamedTuple):
    """One value that is compared, with a search of its own over its branches."""

    name: str  # `optimizer=adam`; `all` where nothing is compared
    branches: tuple[Branch, ...]

    @property
    def labels(self) -> list[str]:
        """What tells each branch from the others of this arm."""
        shared = set.intersection(*(set(branch.fixed) for branch in self.branches))
        return [
            " ".join(text for text in branch.fixed if text not in shared) or "default"
            for branch in self.branches
        ]


Space = tuple[Arm, ...]


def read_space(grids: Sequence[Sequence[Override]], compare: Sequence[str] | None) -> Space:
    """Return the space that several grids span.

    Choices of compared keys make arms, which are searched apart; grids of one arm are its branches.
    `compare` names the compared keys; None: choices of files, and keys of the data. Raises UserError, one
    line, for ranges that cannot be searched and for grids that cannot be told apart.
    """
    compared = [key for key in _varied_keys(grids) if is_compared_key(key, compare)]
    arms: dict[str, list[Branch]] = {}
    for grid in grids:
        parameters = tuple(_parameter(o) for o in grid if o.is_sweep_override() and _key(o) not in compared)
        fixed = [o for o in grid if not o.is_sweep_override() or _key(o) in compared]
        for override in fixed:
            _check_listed(override)
        for texts in expand_grid(fixed):
            values = dict(text.split("=", 1) for text in texts)
            name = " ".join(f"{key.lstrip('+~')}={values[key]}" for key in compared if key in values)
            arms.setdefault(name or "all", []).append(Branch(tuple(texts), parameters))
    space = tuple(Arm(name, tuple(branches)) for name, branches in arms.items())
    _check_space(space)
    return space


def _key(override: Override) -> str:
    return str(override.get_key_element())


def _varied_keys(grids: Sequence[Sequence[Override]]) -> list[str]:
    """Return the keys with several values in a grid, or other ones in different grids."""
    texts: dict[str, set[str | None]] = {}
    for grid in grids:
        for override in grid:
            texts.setdefault(_key(override), set()).add(override.input_line)
    several = {_key(o) for grid in grids for o in grid if o.is_sweep_override()}
    lacking = {key for key in texts if any(key not in map(_key, grid) for grid in grids)}
    varied = [key for key in texts if key in several | lacking or len(texts[key]) > 1]
    return [key for key in varied if distinguishes_runs(key.lstrip("+~"))]


def _check_listed(override: Override) -> None:
    line = override.input_line
    if is_continuous(override):
        raise UserError(f"{line} is compared, not tuned: name its values, or set sweep.compare")


def _parameter(override: Override) -> Parameter:
    key, value, line = _key(override), override.value(), override.input_line
    if key in SEED_KEYS:
        raise UserError(f"{line} cannot be searched: search.seeds=0,1,2 names the seeds of each setting")
    if key.partition(".")[0] in DATA_GROUPS:
        raise UserError(f"{line} cannot be tuned: scores on other data are others; sweep.compare may name it")
    tags: set[str] = getattr(value, "tags", set())
    if isinstance(value, IntervalSweep | RangeSweep):
        if unknown := tags - set(RANGE_TAGS):
            raise UserError(f"{line}: there is no tag {min(unknown)}; there are {' and '.join(RANGE_TAGS)}")
        return _checked_range(_range(key, value), str(line))
    if tags:
        raise UserError(f"{line}: the tag {min(tags)} is for interval() and range(), not for a list")
    return Choice(key, tuple(dict.fromkeys(override.sweep_string_iterator())))


def _range(key: str, value: IntervalSweep | RangeSweep) -> Range:
    log = "log" in value.tags
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        whole = "int" in value.tags or (isinstance(low, int) and isinstance(high, int))
        return Range(key, float(low or 0), float(high or 0), log, whole)
    start, stop, step = float(value.start or 0), float(value.stop or 0), float(value.step)
    whole = start.is_integer() and step.is_integer()
    last = start + step * (math.ceil(round((stop - start) / step, 9)) - 1)
    return Range(key, start, round(last, 12), log, whole, step)


def _checked_range(checked: Range, line: str) -> Range:
    if not math.isfinite(checked.low) or not math.isfinite(checked.high):
        raise UserError(f"{line}: a range has two finite ends")
    if checked.low >= checked.high:
        raise UserError(f"{line}: the first number must be below the second")
    if checked.log and checked.low <= 0:
        raise UserError(f"{line}: a logarithmic range begins above 0")
    if checked.log and checked.step is not None:
        raise UserError(f"{line}: a range with steps has no logarithm; use tag(log,interval(…))")
    if checked.whole and not (checked.low.is_integer() and checked.high.is_integer()):
        raise UserError(f"{line}: the ends of a range of whole numbers are whole numbers")
    return checked


def _check_space(space: Space) -> None:
    for arm in space:
        for one, other in itertools.combinations(arm.branches, 2):
            if sorted(one.fixed) == sorted(other.fixed):
                raise UserError(
                    f"two grids of the search are for {arm.name}: give it one grid, or set sweep.compare"
                )
    if not any(branch.parameters for arm in space for branch in arm.branches):
        raise UserError(NEEDS_RANGE)


def describe_parameter(parameter: Parameter) -> str:
    """Format as `optimizer.lr from 0.0001 to 1 (log)` or `model.layers 1 | 2`."""
    if isinstance(parameter, Choice):
        return f"{parameter.key} {' | '.join(parameter.values)}"
    kinds = [*(["whole"] if parameter.whole else []), *(["log"] if parameter.log else [])]
    if parameter.step is not None:
        kinds.append(f"in steps of {parameter.step:g}")
    suffix = f" ({', '.join(kinds)})" if kinds else ""
    return f"{parameter.key} from {parameter.low:g} to {parameter.high:g}{suffix}"


def space_values(space: Space) -> list[dict[str, object]]:
    """Return a space as plain values, which JSON can hold and compare, without what changes no run."""
    return [
        {
            "name": arm.name,
            "branches": [
                {
                    "fixed": [text for text in branch.fixed if distinguishes_runs(_text_key(text))],
                    "parameters": [_parameter_values(p) for p in branch.parameters],
                }
                for branch in arm.branches
            ],
        }
        for arm in space
    ]


def _text_key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _parameter_values(parameter: Parameter) -> Mapping[str, object]:
    if isinstance(parameter, Choice):
        return {"key": parameter.key, "values": list(parameter.values)}
    return parameter._asdict()


def space_of_values(values: object) -> Space:
    """Return the space of what `space_values` returned. Raises ValueError for anything else."""
    return TypeAdapter(Space).validate_python(values)
