"""The commands of README and docs run, made short by rules, and every link and path in them exists."""

import ast
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from tangsweep.files import REPOSITORY
from tests.small import FEW_STEPS, FIXED_POOL, PROJECTED, TALE, VECTORS, small_sizes

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/example-report/*.md", "docs/tuned-report/*.md", "sweeps/*.md")
    for path in REPOSITORY.glob(pattern)
)
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PROGRAMS = ("python", "make", "pip", "wandb", "ray", "export", "source")


class Page(NamedTuple):
    """What a page holds: its code fences (language, text), and the page without them."""

    path: Path
    fences: list[tuple[str, str]]
    prose: str

    @property
    def name(self) -> str:
        return str(self.path.relative_to(REPOSITORY))


def read_page(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    return Page(path, FENCE.findall(text), FENCE.sub("", text))


READ = [read_page(path) for path in PAGES]


# Commands: the lines of fences without a language, and inline code that begins with a program.


def split_command(line: str) -> list[str]:
    """Return the words of a shell's line without its comment; leading VARIABLE=value settings are left out."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    return words


def is_command(line: str) -> bool:
    return bool(re.match(rf"([A-Z_]+=\S+ )*({'|'.join(PROGRAMS)}) \S", line))


def commands_of(page: Page) -> Iterator[str]:
    if page.name == "CHANGELOG.md":  # it tells what once was
        return
    lines = [line for language, text in page.fences for line in text.splitlines() if not language]
    for line in filter(is_command, lines + INLINE.findall(page.prose)):
        yield shlex.join(split_command(line))


COMMANDS = {command: page.name for page in READ for command in commands_of(page)}
TRAINS = [command for command in COMMANDS if command.startswith("python src/train.py")]
OTHERS = [command for command in COMMANDS if command not in TRAINS]
PLACEHOLDERS = {"NAME": "optimizers", "PARTITION": "debug", "HEAD": "127.0.0.1"}
PLACEHOLDERS |= {"夏": "山", "冬": "月"}  # the first is rare in the sample, the second is not there
OFFLINE = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")


@pytest.mark.parametrize("page", READ, ids=lambda page: page.name)
def test_a_fence_without_a_language_holds_commands(page: Page) -> None:
    for language, text in page.fences:
        others = [line for line in text.splitlines() if line and not is_command(line)]
        assert language or not others, f"mark the fence as text, yaml, python, …: {others}"


def shortened(command: str) -> list[str]:
    """Return the arguments of a training command with `plan=true` and the sizes of a test; nothing is trained.

    The command's own choices stay. Of the keys that a test's sizes give another value, only the value is lost.
    """
    arguments = split_command(command)[2:]
    if "--help" in arguments:
        return arguments
    arguments = [re.sub(r"^corpus\.root=.*", f"corpus.root={REPOSITORY}/data/sample", a) for a in arguments]
    if not torch.cuda.is_available():
        arguments = [argument for argument in arguments if argument != "trainer=gpu"]
    chosen = " ".join(a for a in arguments if re.match(r"(corpus|experiment|sweeps)=", a))
    task = next((task for task in ("palindromes", "frequency", "book") if task in chosen), "poems")
    sizes = [size for size in small_sizes(task) if size != "corpus=sample" or "corpus=" not in chosen]
    if "sweeps=" in chosen and not any(argument.startswith("seed=") for argument in arguments):
        sizes.append("seed=0")  # one seed of several
    if "dataset_sizes" in chosen:
        sizes = [*(size for size in sizes if "dev_poems" not in size), *FIXED_POOL]
    if "tang_full" in chosen:
        sizes += PROJECTED
    if task in ("poems", "book"):
        sizes.append("corpus.verify=false")
    return [*arguments, *sizes, *FEW_STEPS, "logger=csv", "plan=true"]


def filled(command: str) -> str:
    """Put values in the place of what a page leaves to its reader."""
    for placeholder, value in PLACEHOLDERS.items():
        command = re.sub(rf"(?<![A-Za-z.]){placeholder}(?![A-Za-z])", value, command)
    return command


def run_script(path: str, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a script in this process, where torch is imported already. Fails unless it exits with 0."""
    monkeypatch.setattr(sys, "argv", [path, *arguments])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # the command sets it; so it is put back
    for name, address in OFFLINE.items():
        monkeypatch.setenv(name, address)
    try:
        runpy.run_path(str(REPOSITORY / path), run_name="__main__")
    except SystemExit as exit:
        assert not exit.code, f"{path} {shlex.join(arguments)}"


@pytest.mark.parametrize(
    "command",
    # All together take minutes.
    [*TRAINS[:3], *(pytest.param(command, marks=pytest.mark.slow) for command in TRAINS[3:])],
)
def test_training_commands_plan_their_runs(
    command: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "data").mkdir()
    (home / "data" / "vectors.txt").write_text(VECTORS, encoding="utf-8")
    (home / "tale.txt").write_text(TALE, encoding="utf-8")
    monkeypatch.chdir(home)
    run_script("src/train.py", shortened(filled(command)), monkeypatch)
    printed = capsys.readouterr().out
    assert "othing was trained" in printed or "--help" in command or "--cfg" in command
    assert not (home / "outputs").exists() or not list((home / "outputs").glob("*/*/config.yaml"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with what the commands of the pages read: a run of poems and one of a book, both tiny."""
    home = tmp_path_factory.mktemp("trained")
    (home / "tale.txt").write_text(TALE, encoding="utf-8")
    poems = (
        "corpus=sample",
        "trainer.max_epochs=1",
        "data.batch_size=16",
        "data.poems=null",
        "data.train_fraction=0.98",
        "poems.quality=false",
        "sweep.name=optimizer",
    )
    book = ("corpus=book", *small_sizes("book"), *FEW_STEPS, "logger=csv")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TANGSWEEP_HOME", str(home))
        search = ("optimizer.lr=interval(0.009,0.011)", "search.trials=1", "search.eta=1")
        options = ["-m", "optimizer=adam", "hydra/launcher=basic", *search, *poems]
        run_script("src/train.py", options, monkeypatch)
        run_script("src/train.py", [*book], monkeypatch)
    return home


def with_paths(words: Sequence[str], home: Path) -> list[str]:
    """Put the folders of `trained` in the place of those that a page names."""
    [poems], [book] = (
        [path.parent for path in (home / "outputs" / sweep).glob("*/result.json")]
        for sweep in ("optimizer", "single")
    )
    runs = {
        r"RUN|outputs/\S*optimizer-\S+": poems,
        r"outputs/\S*book\S+": book,
        r"outputs/\w+": poems.parent,
        r"study\.log": home / "study.log",
    }
    for pattern, path in runs.items():
        words = [str(path) if re.fullmatch(pattern, word) else word for word in words]
    return list(words)


@pytest.mark.parametrize("command", [c for c in OTHERS if re.match(r"python src/(generate|report)\.py", c)])
def test_commands_that_read_runs(
    command: str, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--wandb" in command:
        pytest.importorskip("wandb_workspaces")
    monkeypatch.setenv("TANGSWEEP_HOME", str(trained))
    words = with_paths(split_command(filled(command)), trained)
    words = ["spec" if word == "publish" else word for word in words]  # the same without a network
    words = ["Once upon" if word == "Hansel and Gr" else word for word in words]  # what the tale knows
    run_script(words[1], words[2:], monkeypatch)
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("command", [c for c in OTHERS if c.startswith("python -m tangsweep")])
def test_modules_that_are_commands(
    command: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures are drawn; what reads the whole corpus, or serves a page, tells its options."""
    module, *arguments = split_command(command)[2:]
    monkeypatch.chdir(home)
    monkeypatch.delitem(sys.modules, module, raising=False)  # another test may have imported it
    monkeypatch.setattr(sys, "argv", [module, *(arguments if "--out" in arguments else ["--help"])])
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as exit:
        assert not exit.code
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("command", [c for c in OTHERS if c.startswith("python benchmarks")])
def test_benchmarks(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each knows its options, and its imports exist. Measuring takes minutes."""
    script, *arguments = split_command(command)[1:]
    monkeypatch.syspath_prepend(str((REPOSITORY / script).parent))
    runpy.run_path(str(REPOSITORY / script))
    if "argparse" in (REPOSITORY / script).read_text(encoding="utf-8"):
        run_script(script, ["--help"], monkeypatch)
        printed = capsys.readouterr().out
        assert all(argument in printed for argument in arguments if argument.startswith("--"))
    else:
        assert not arguments


@pytest.mark.parametrize("command", [c for c in OTHERS if c.startswith("make ")])
def test_targets_of_make(command: str) -> None:
    done = subprocess.run(
        [*split_command(command), "--dry-run"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


TOOLS = [c for c in OTHERS if split_command(c)[0] in ("wandb", "ray")]


@pytest.mark.parametrize("command", TOOLS)
def test_commands_of_other_tools_exist(command: str, home: Path) -> None:
    """Their options are those that the tool's own help names."""
    tool, *arguments = split_command(command)
    program = Path(sys.executable).parent / tool
    if not program.exists():
        pytest.skip(f"{tool} is not installed")
    names = list(takewhile(lambda word: re.fullmatch("[a-z]+", word), arguments))
    environment = {**os.environ, **OFFLINE, "HOME": str(home)}
    done = subprocess.run(
        [program, *names, "--help"], env=environment, capture_output=True, text=True, check=True
    )
    assert all(word.partition("=")[0] in done.stdout for word in arguments if word.startswith("--"))


def test_every_other_command_is_of_a_known_kind() -> None:
    """Extras that pip is asked for exist. The rest sets up the reader's own shell."""
    run_above = ("make ", *(f"python {n}" for n in ("src/", "-m tangsweep", "benchmarks/")))
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for command in OTHERS:
        words = split_command(command)
        if words[:2] == ["pip", "install"]:
            assert words[2:5] == ["-c", "constraints.txt", "-e"], command
            assert set(re.findall(r"\w+", words[5])) <= extras.keys(), command
        elif command not in TOOLS and not command.startswith(run_above):
            assert command in ("source .venv/bin/activate", "export TANGSWEEP_HOME=/shared/me/tangsweep")


# Links and paths.


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", READ, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Page) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.prose):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


ROOTS = [REPOSITORY, *(REPOSITORY / name for name in ("src", "src/tangsweep", "tests", "docs", "conf"))]
SUFFIXES = ("py", "c", "h", "md", "yaml", "toml", "css", "json", "txt")
WRITTEN = {  # files that commands write, or that a reader has
    "config.yaml", "result.json", "result.1.json", "report.md", "report.json", "dashboard.json", "poems.txt", "samples.txt",
    "extended-from.txt", "my.txt", "script.py", "books/NAME.txt", "quantangshi/poet.tang.0.json",
}  # fmt: skip
WRITTEN_FOLDERS = ("outputs/", "tables/", "figures/", "checkpoints/", "wandb/", "strains/")


def looks_like_a_path(code: str) -> bool:
    """Whether inline code names a file of the repository: one word with a known suffix, or a folder."""
    if not re.fullmatch(r"[\w./*\-]+", code) or code in WRITTEN or code.startswith(WRITTEN_FOLDERS):
        return False
    if code.startswith("data/") and not code.startswith("data/sample"):
        return False
    return code.endswith((*(f".{suffix}" for suffix in SUFFIXES), "/"))


def exists_in_repository(code: str) -> bool:
    pattern = re.sub(r"\b(NAME|X)\b", "*", code.rstrip("/"))
    anywhere = "/" not in pattern and any(
        any(REPOSITORY.glob(f"{root}/**/{pattern}")) for root in ("src", "tests")
    )
    return anywhere or any(any(root.glob(pattern)) for root in ROOTS)


@pytest.mark.parametrize("page", READ, ids=lambda page: page.name)
def test_paths_in_backticks_exist(page: Page) -> None:
    if page.name == "CHANGELOG.md":  # it tells what once was
        return
    text = page.path.read_text(encoding="utf-8")
    of_recipes = set(re.findall(r"^`([^`\n]+)`\n```", text, re.MULTILINE))
    paths = {code for code in INLINE.findall(page.prose) if looks_like_a_path(code)} - of_recipes
    assert [path for path in sorted(paths) if not exists_in_repository(path)] == []


def test_the_tree_of_the_readme_exists() -> None:
    [tree] = (text for language, text in read_page(REPOSITORY / "README.md").fences if language == "text")
    paths = re.findall(r"(?<!\S)[\w/]+(?:/|\.py)(?!\S)", tree)
    assert len(paths) > 20
    assert [path for path in paths if not exists_in_repository(path)] == []


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_path_of_a_run_names_functions_that_exist() -> None:
    """At most 30 hops from the command to the first step."""
    page = read_page(REPOSITORY / "CONTRIBUTING.md").prose.partition("## A run, from command to first step")[
        2
    ]
    hops = re.findall(r"^\d+\. `([\w/.]+):(\w+)`", page, re.MULTILINE)
    assert 20 <= len(hops) <= 30
    for file, name in hops:
        path = REPOSITORY / (file if file.startswith("src/") else f"src/tangsweep/{file}")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert name in {getattr(node, "name", None) for node in ast.walk(tree)}, f"{file}:{name}"
