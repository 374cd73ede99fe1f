"""The structure of src/ stays within limits, and the script that measures it counts rightly."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import structure
from benchmarks.structure import Module

from tangsweep.files import REPOSITORY

SRC = REPOSITORY / "src"
Tree = Callable[[dict[str, str]], list[Module]]


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return structure.read_modules(SRC)


def test_few_modules_have_one_importer(modules: list[Module]) -> None:
    single = structure.modules_with_one_importer(modules)
    listed = {name for name, importer in single.items() if importer == "tangsweep.reporting.build"}
    others = {name: importer for name, importer in single.items() if name not in listed}
    assert len(others) <= 30, others  # reporting.build lists the sections of the page: one module each


def test_any_is_rare(modules: list[Module]) -> None:
    assert structure.count_any(modules) <= 100


def test_class_names_are_unique(modules: list[Module]) -> None:
    assert structure.repeated_classes(modules) == {}


def test_function_names_stand_in_at_most_two_modules(modules: list[Module]) -> None:
    assert structure.repeated_functions(modules) == {}


def test_variables_are_named_by_nouns(modules: list[Module]) -> None:
    assert structure.bare_names(modules) == []


def test_functions_and_files_stay_short(modules: list[Module]) -> None:
    assert structure.longest_function(modules) <= (40, "~")
    assert structure.longest_file(SRC) < (250, "")


def test_no_import_cycle(modules: list[Module]) -> None:
    assert structure.import_cycles(modules) == []


# The script itself, on trees of a few lines.


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write files below tmp_path/src and return them parsed."""

    def write(files: dict[str, str]) -> list[Module]:
        for name, text in files.items():
            path = tmp_path / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return structure.read_modules(tmp_path / "src")

    return write


def test_importers_are_counted_over_all_forms_of_import(tree: Tree) -> None:
    modules = tree(
        {
            "p/__init__.py": "from p.re_exported import f\nfrom p.twice import g\n",
            "p/re_exported.py": "",
            "p/once.py": "",
            "p/twice.py": "",
            "p/relative.py": "from . import once\nfrom .twice import g\n",
            "p/lazy.py": "def f():\n    import p.twice\n",
            "main.py": "from p import relative, f\n",
        }
    )
    assert structure.import_graph(modules)["main"] == {"p", "p.relative"}
    assert structure.modules_with_one_importer(modules) == {"p.once": "p.relative", "p.relative": "main"}


def test_a_cycle_is_seen_through_others_and_under_type_checking(tree: Tree) -> None:
    modules = tree(
        {
            "p/__init__.py": "",
            "p/a.py": "import p.b",
            "p/b.py": "from p.c import C",
            "p/c.py": "if TYPE_CHECKING:\n    from p import a\n",
            "p/d.py": "import p.a",
        }
    )
    assert structure.import_cycles(modules) == [["p.a", "p.b", "p.c"]]


def test_any_is_counted_where_it_is_used(tree: Tree) -> None:
    text = "import typing\nfrom typing import Any\ndef f(x: Any) -> dict[str, Any]: ...\ny: typing.Any = 0\n"
    assert structure.count_any(tree({"a.py": text})) == 3


def test_repeated_names_are_those_outside_the_parallel_rooms(tree: Tree) -> None:
    modules = tree(
        {
            "p/a.py": "class A: ...\nclass B:\n    def method(self): ...\ndef f(): ...\ndef main(): ...\n",
            "p/b.py": "class B:\n    def method(self): ...\ndef f(): ...\ndef chart(): ...\ndef main(): ...\n",
            "p/c.py": "def f(): ...\ndef g(): ...\ndef chart(): ...\ndef main(): ...\n",
            "p/d.py": "def g():\n    def f(): ...\ndef chart(): ...\n",
            "p/cells/lstm.py": "class A: ...\ndef g(): ...\n",
        }
    )
    assert structure.repeated_classes(modules) == {"B": ["p.a", "p.b"]}
    assert structure.repeated_functions(modules) == {"f": ["p.a", "p.b", "p.c"]}


def test_bare_names_are_variables_and_parameters_but_no_fields(tree: Tree) -> None:
    text = """\
    class Score:
        known: int
        kept = 0
        def method(self, given): return given
    def f(asked=0, *, wanted=1):
        for told, other in []: pass
        made = lambda found: found
        record.known = [known for known in made]
        print(kept)
    """
    lines = [line.partition(":")[2] for line in structure.bare_names(tree({"a.py": text}))]
    assert lines == ["4 given", "5 asked", "5 wanted", "6 told", "7 found", "7 made", "8 known"]


def test_lengths_count_every_line(tree: Tree, tmp_path: Path) -> None:
    modules = tree(
        {"a.py": "@property\ndef f():\n    x = 1\n    return x\n\n\ndef g(): ...\n", "p/b.py": "1\n"}
    )
    (tmp_path / "src" / "p" / "kernel.c").write_text("//\n" * 9)
    assert structure.longest_function(modules) == (3, "a.py:2 f")
    assert structure.longest_file(tmp_path / "src") == (9, "p/kernel.c")


def test_the_script_prints_every_figure(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree(
        {
            "a.py": "found: Any = 1\n",
            "b.py": "import a\nclass A:\n    def f(self): ...\n",
            "c.py": "class A: ...\n",
        }
    )
    structure.main(tmp_path)
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert printed == [
        "Python files 3",
        "modules with exactly one importer 1",
        "a <- b",
        "Any 1",
        "class names in two or more modules 1",
        "A: b, c",
        "function names in three or more modules 0",
        "bare variable names (found, told, made, …) 1",
        "a.py:1 found",
        "lines of the longest function 1",
        "b.py:3 f",
        "lines of the longest file 3",
        "b.py",
        "import cycles 0",
    ]
