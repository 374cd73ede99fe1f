"""Measure the structure of src/: importers, `Any`, repeated names, lengths, import cycles.

    python benchmarks/structure.py             # of this checkout
    python benchmarks/structure.py ../before   # of another one

`tests/test_structure.py` holds this checkout to limits. Nothing of the package is imported.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BARE_NAMES = frozenset({"found", "told", "made", "given", "wanted", "known", "kept", "asked"})
PARALLEL_ROOMS = frozenset({"cells", "analytic", "kernels"})  # equal names mark equal parts there
PARALLEL_FUNCTIONS = frozenset({"main", "chart"})
CODE_SUFFIXES = frozenset({".py", ".c", ".h"})


class Module(NamedTuple):
    """One Python file below src/."""

    path: Path  # relative to src/
    tree: ast.Module

    @property
    def name(self) -> str:
        """Return the dotted name; a package's `__init__` has the package's name."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def is_parallel(self) -> bool:
        return len(self.path.parts) > 1 and self.path.parts[1] in PARALLEL_ROOMS


def read_modules(src: Path) -> list[Module]:
    """Parse every Python file below `src`."""
    return [
        Module(path.relative_to(src), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(src.rglob("*.py"))
    ]


def find_imports(module: Module, names: set[str]) -> set[str]:
    """Return the modules of `names` that a module imports, under TYPE_CHECKING and in functions too."""
    imported = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(module, node)
            submodules = {f"{base}.{alias.name}" for alias in node.names} & names
            imported |= submodules
            if len(submodules) < len(node.names):  # at least one name is an object of `base` itself
                imported.add(base)
    return (imported & names) - {module.name}


def absolute_name(module: Module, node: ast.ImportFrom) -> str:
    """Return the dotted name after `from`, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    package = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def import_graph(modules: list[Module]) -> dict[str, set[str]]:
    """Return which modules each module imports."""
    names = {module.name for module in modules}
    return {module.name: find_imports(module, names) for module in modules}


def modules_with_one_importer(modules: list[Module]) -> dict[str, str]:
    """Return module → its only importer. What a package's `__init__` re-exports is not imported by that."""
    graph = import_graph(modules)
    packages = {module.name for module in modules if module.is_package}
    importers = defaultdict(set)
    for name, imports in graph.items():
        for imported in imports if name not in packages else ():
            importers[imported].add(name)
    return {
        name: next(iter(importers[name]))
        for name in sorted(graph.keys() - packages)
        if len(importers[name]) == 1
    }


def import_cycles(modules: list[Module]) -> list[list[str]]:
    """Return the groups of modules that import one another, directly or through others."""
    graph = import_graph(modules)
    reached = {name: reachable_from(name, graph) for name in graph}
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in graph
        if name in reached[name]
    }
    return [list(group) for group in sorted(groups)]


def reachable_from(start: str, graph: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    pending = list(graph[start])
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending.extend(graph[name])
    return reached


def count_any(modules: list[Module]) -> int:
    """Count the uses of `Any` (its imports are not uses)."""
    return sum(
        (isinstance(node, ast.Name) and node.id == "Any")
        or (isinstance(node, ast.Attribute) and node.attr == "Any")
        for module in modules
        for node in ast.walk(module.tree)
    )


def repeated_classes(modules: list[Module]) -> dict[str, list[str]]:
    """Return class names that stand in two or more modules, cells, analytic and kernels aside."""
    places = defaultdict(set)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and not module.is_parallel:
                places[node.name].add(module.name)
    return {name: sorted(where) for name, where in sorted(places.items()) if len(where) >= 2}


def repeated_functions(modules: list[Module]) -> dict[str, list[str]]:
    """Return names of module-level functions that stand in three or more modules, parallel ones aside."""
    places = defaultdict(set)
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not module.is_parallel:
                places[node.name].add(module.name)
    return {
        name: sorted(where)
        for name, where in sorted(places.items())
        if len(where) >= 3 and name not in PARALLEL_FUNCTIONS
    }


def bare_names(modules: list[Module]) -> list[str]:
    """Return `file:line name` of each variable or parameter in BARE_NAMES; fields of a class are excepted."""
    return [
        f"{module.path}:{line} {name}"
        for module in modules
        for line, name in sorted(bound_names(module.tree))
        if name in BARE_NAMES
    ]


def bound_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of every variable and parameter that a module binds, fields of classes left out."""
    fields = {
        target for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for target in fields_of(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in fields:
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs) and node.name:
            yield node.lineno, node.name


def fields_of(node: ast.ClassDef) -> Iterator[ast.expr]:
    """Yield the targets of the assignments that stand directly in a class's body."""
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign):
            yield statement.target
        elif isinstance(statement, ast.Assign):
            yield from statement.targets


def longest_function(modules: list[Module]) -> tuple[int, str]:
    """Return (lines from `def` to the end, where) of the longest function."""
    return max(
        (
            (node.end_lineno or node.lineno) - node.lineno + 1,
            f"{module.path}:{node.lineno} {node.name}",
        )
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def longest_file(src: Path) -> tuple[int, str]:
    """Return (lines, path) of the longest file in Python or C."""
    return max(
        (len(path.read_text(encoding="utf-8").splitlines()), str(path.relative_to(src)))
        for path in src.rglob("*")
        if path.suffix in CODE_SUFFIXES
    )


def print_figure(title: str, value: int, details: list[str]) -> None:
    print(f"{title:48}{value:5}")
    for line in details:
        print(f"    {line}")


def print_repeated(title: str, repeated: dict[str, list[str]]) -> None:
    print_figure(title, len(repeated), [f"{name}: {', '.join(where)}" for name, where in repeated.items()])


def main(checkout: Path) -> None:
    src = checkout / "src"
    modules = read_modules(src)
    print_figure("Python files", len(modules), [])
    single = modules_with_one_importer(modules)
    print_figure("modules with exactly one importer", len(single), [f"{m} <- {i}" for m, i in single.items()])
    print_figure("Any", count_any(modules), [])
    print_repeated("class names in two or more modules", repeated_classes(modules))
    print_repeated("function names in three or more modules", repeated_functions(modules))
    print_figure("bare variable names (found, told, made, …)", len(bare_names(modules)), bare_names(modules))
    for title, (lines, where) in (
        ("lines of the longest function", longest_function(modules)),
        ("lines of the longest file", longest_file(src)),
    ):
        print_figure(title, lines, [where])
    cycles = import_cycles(modules)
    print_figure("import cycles", len(cycles), [", ".join(cycle) for cycle in cycles])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
