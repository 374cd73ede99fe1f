"""Finds YAML whose aliases stand for far more values than its text: `a: &a [x, x]`, `b: [*a, *a]`, and so on.

A few such lines would fill any memory once each alias is replaced by what it stands for.
"""

import math
from collections.abc import Iterable
from pathlib import Path

import yaml

from tangsweep.errors import UserError
from tangsweep.files import read_regular_file

MOST_VALUES = 100_000  # of a file with aliases; no config comes near it


def check_alias_sizes(folders: Iterable[Path]) -> None:
    """Raise UserError for a file in `folders` that holds such YAML; other errors are left alone."""
    for path in (path for folder in folders for path in sorted(folder.rglob("*.yaml"))):
        try:
            text = read_regular_file(path).decode("utf-8", "replace")
        except OSError:  # whoever composes a config of it says why
            continue
        if is_too_large(text):
            raise UserError(
                f"{path} stands for more than {MOST_VALUES:,} values, by its aliases (*name): write out what "
                "is meant, or remove it"
            )


def is_too_large(text: str) -> bool:
    """Return whether YAML with aliases stands for more than MOST_VALUES values, or for itself."""
    if "*" not in text or "&" not in text:
        return False
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        return root is not None and _count_values(root, {}) > MOST_VALUES
    except yaml.YAMLError:
        return False
    except RecursionError:
        return True


def _count_values(node: yaml.Node, counted: dict[int, float]) -> float:
    """Return how many values a node stands for; infinity where it holds itself."""
    if id(node) not in counted:
        counted[id(node)] = math.inf
        inner = []
        if isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = list(node.value)
        counted[id(node)] = 1 + sum(_count_values(part, counted) for part in inner)
    return counted[id(node)]
