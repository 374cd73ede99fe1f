"""Part of `benchmarks/faults.py`: one bit flipped in a file that runs left, and what is then said and done.

A small sweep of two runs, one finished and one killed in its second epoch, is copied for each flip. A process
of its own then makes the report, composes a poem, gives the same command again, and makes the report and the
poem once more. All of it is compared with what comes of a copy without a flip: a flip holds where every
number that is reported is the same or left out, and anything that is not the same is named in a line.
"""

import contextlib
import io
import json
import math
import os
import random
import shutil
import signal
import sys
import traceback
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd
from kills import TIMED, Tally, differences

from tangsweep import fault_points
from tangsweep.checkpoint import DamagedCheckpoint, read_checkpoint
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile

COMMAND = (
    "train -m optimizer=sgd,adam corpus=sample data.poems=24 data.batch_size=4 model.hidden_size=8 "
    "model.embed_size=8 trainer.max_epochs=3 trainer.log_every=2 poems.starts='山' poems.quality=false "
    "report=false sweep.name=x hydra/launcher=basic logger="
)
KILLED_AT = "writing last.ckpt@5"  # the second epoch of the second run
SECONDS = 120  # until a process counts as hanging
FINISHED, KILLED = "optimizer-sgd-*", "optimizer-adam-*"
SHARED = {
    "cache of composed configs": "data/cache/composed-*.json",
    "cache of encoded corpora": "data/cache/*.encoded",
    "kernel library": "data/cache/kernels-*/*.so",
    "checksum of the library": "data/cache/kernels-*/*.sha256",
    "tables of tones and rhymes": "data/cache/prosody-*.tables",
    "commands.jsonl": "outputs/x/commands.jsonl",
}
OF_BOTH = {
    "best.ckpt": "checkpoints/best.ckpt", "last.ckpt": "checkpoints/last.ckpt", "metrics.csv": "metrics.csv",
    "config.yaml": "config.yaml", "train.log": "train.log", "wandb-id.txt": "wandb-id.txt",
    "W&B's file": "wandb/offline-run-*/*.wandb",
}  # fmt: skip
OF_FINISHED = {name: name for name in ("result.json", "scores.npz", "poems.txt")}
MEASURED = (
    "seconds",
    "_ms",
    "per_second",
    "finished",
    "wandb",
    "bytes",
    "commit",
)  # in names of columns; they always differ


class Kind(NamedTuple):
    """A kind of file, and where it lies in the home."""

    name: str
    pattern: str

    @property
    def mirror(self) -> str:
        """The logger that the command goes on with: W&B only where its files are concerned, for its time."""
        return "wandb" if "wandb" in self.pattern else "csv"


KINDS = [
    *(Kind(name, pattern) for name, pattern in SHARED.items()),
    *(Kind(f"{n}, finished run", f"outputs/x/{FINISHED}/{p}") for n, p in (OF_BOTH | OF_FINISHED).items()),
    *(Kind(f"{name}, killed run", f"outputs/x/{KILLED}/{p}") for name, p in OF_BOTH.items()),
]
Observed = dict[str, Any]
STAGES = ("before", "after", "left")


def in_process(action: Callable[[], Observed], out: Path) -> int:
    """Start a process that writes what `action` returns to `out`, as JSON; return its pid."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(SECONDS)
        try:
            observed = action()
        except BaseException:
            observed = {"crash": traceback.format_exc()}
        out.write_text(json.dumps(observed), encoding="utf-8")
        sys.stdout.flush()
        os._exit(0)
    return pid


def observed_by(pid: int, out: Path) -> Observed:
    """Wait for a process, and return what it has observed."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    observed: Observed = {"crash": f"it ended with {status}"}
    if status == 0:
        observed = json.loads(out.read_text(encoding="utf-8"))
    return observed


def call(line: str) -> tuple[int, str]:
    """Run a command line in this process; return its status and all that it printed."""
    from tangsweep.__main__ import main

    sys.argv = ["tangsweep", *line.split()]
    os.environ["HYDRA_FULL_ERROR"] = "0"  # the command sets it, and then errors keep their tracebacks
    printed, status = io.StringIO(), 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            main()
        except SystemExit as exit:
            status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    return status, printed.getvalue()


def look(home: Path) -> Observed:
    """Return the report's tables and what it names, and a poem of each run or why there is none.

    The whole page is made by the command itself.
    """
    from tangsweep.prosody.tables import cached_prosody
    from tangsweep.reporting.build import rank_comparable_runs, read_sweeps
    from tangsweep.reporting.text.tables import run_tables

    prosody = cached_prosody()
    data = read_sweeps([home / "outputs" / "x"])
    tables = run_tables(data, rank_comparable_runs(data))
    runs = sorted(
        path.parent for path in home.glob("outputs/x/*/checkpoints") if ".replaced-" not in str(path)
    )
    return {
        "tables": {name: rows_of(table) for name, table in tables.items()},
        "named": [f"{file.path}: {file.reason}" for file in data.unreadable],
        "poems": [call(f"generate {run} --start 山 --chars 5 --seed 1") for run in runs],
        "tones": [prosody.source, *(prosody.tone(character) for character in "山月看白")],
    }


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as plain values, without columns of times."""
    kept = [name for name in table if not any(word in str(name) for word in MEASURED)]
    rows: list[dict[str, Any]] = json.loads(table[kept].to_json(orient="records", double_precision=15))
    return rows


def observe(home: Path, mirror: str = "csv") -> Observed:
    import wandb

    os.environ["TANGSWEEP_HOME"] = str(home)
    os.chdir(home)
    before = look(home)
    status, printed = call(COMMAND + mirror)
    wandb.teardown()
    after, left = look(home), left_by_runs(home)
    return {"before": before, "status": status, "printed": printed, "after": after, "left": left}


def left_by_runs(home: Path) -> Observed:
    """Return what the runs hold: values, or `refused` where reading says that a file was changed."""
    left: Observed = {}
    for path in sorted(home.glob("outputs/x/optimizer-*/config.yaml")):
        folder = RunFolder(path.parent)
        if folder.replaced:
            continue
        weights = {}
        for checkpoint in (folder.best, folder.last):
            try:
                state = read_checkpoint(checkpoint)["state_dict"]
                weights[checkpoint.name] = {name: value.tolist() for name, value in state.items()}
            except DamagedCheckpoint:
                weights[checkpoint.name] = "refused"
        rows = [
            {k: v for k, v in row.items() if k not in TIMED} for row in MetricsFile(folder.metrics).rows()
        ]
        left[folder.path.name] = {
            "weights": weights,
            "rows": rows,
            "poems": folder.poems.read_text("utf-8", "replace"),
        }
    return left


class Flip(NamedTuple):
    """A flipped bit, and the process that observes what comes of it."""

    kind: Kind
    file: Path
    bit: int
    home: Path
    out: Path
    pid: int

    @classmethod
    def start(cls, base: Path, number: int) -> Self:
        """Copy `base`, flip a bit in a file of the kind whose turn it is, and start the process."""
        home, kind = base.with_name(f"flip-{number}"), KINDS[number % len(KINDS)]
        shutil.copytree(base, home, symlinks=True)
        file, bit = flip(home, kind)
        out = home.with_suffix(".json")
        return cls(kind, file, bit, home, out, in_process(partial(observe, home, kind.mirror), out))


class Verdict(NamedTuple):
    """What became of a flip: `same`, `repaired`, `named`, or `wrong`, with the reason."""

    name: str
    reason: str = ""


def judge(reference: Observed, observed: Observed, file: Path) -> Verdict:
    """Compare what was observed after a flip in `file` with what is observed without one."""
    if "crash" in observed:
        return Verdict("wrong", observed["crash"])
    texts = [observed["printed"], *(text for s in ("before", "after") for text in texts_of(observed[s]))]
    is_named = any(file.name in text for text in texts)
    if any("Traceback" in text for text in texts):
        return Verdict("wrong", f"a traceback: {texts}")
    for stage in ("before", "after"):
        if wrong := wrong_numbers(reference[stage]["tables"], observed[stage]["tables"]):
            return Verdict("wrong", f"{stage}: {wrong[:3]}")
        for expected, poem in zip(reference[stage]["poems"], observed[stage]["poems"], strict=True):
            if poem != expected and not (poem[0] and file.name in poem[1]):
                return Verdict("wrong", f"{stage}: composed {poem} for {expected}")
        if observed[stage]["tones"] != reference[stage]["tones"] and observed[stage]["tones"][0] != "modern":
            return Verdict("wrong", f"{stage}: tones {observed[stage]['tones']}")
    stages = [k for k in STAGES if plain(observed[k]) != plain(reference[k])]
    if (stages or observed["status"]) and not is_named and not only_refused(reference, observed):
        found = [different(reference[stage], observed[stage]) for stage in stages]
        return Verdict("wrong", f"nothing is said of it: {found}")
    if "after" in stages or "left" in stages or observed["status"]:
        return Verdict("named")
    return Verdict("repaired" if stages or is_named else "same")


def texts_of(look: Observed) -> list[str]:
    return [*look["named"], *(text for _, text in look["poems"])]


def plain(stage: Observed) -> Observed:
    """Without what may be said in any words, and what is built again where it is needed."""
    return {key: value for key, value in stage.items() if key not in ("named", "tones")}


def different(one: Observed, other: Observed) -> list[str]:
    return differences(plain(one), plain(other))


def only_refused(reference: Observed, observed: Observed) -> bool:
    """Whether nothing differs but checkpoints that are refused by whoever reads them."""
    if observed["status"] or any(different(reference[k], observed[k]) for k in ("before", "after")):
        return False
    found = different(reference["left"], observed["left"])
    runs = observed["left"]
    return all(runs[path.split("/")[1]]["weights"].get(path.split("/")[3]) == "refused" for path in found)


def wrong_numbers(expected: Observed, tables: Observed) -> list[str]:
    """Return the cells of the tables of runs and epochs that hold another number than they should."""
    wrong = []
    for name, keys in {"runs": ("run",), "epochs": ("run", "epoch")}.items():
        rows = {tuple(row[key] for key in keys): row for row in expected.get(name, [])}
        for row in tables.get(name, []):
            whole = rows.get(tuple(row[key] for key in keys))
            if whole is None:
                wrong.append(f"{name}: a row {[row[key] for key in keys]}")
                continue
            for column, value in row.items():
                is_number = isinstance(value, int | float) and not (
                    isinstance(value, float) and math.isnan(value)
                )
                if is_number and value != whole.get(column, value):
                    wrong.append(f"{name} {column}: {value} for {whole[column]}")
    return wrong


def make_base(base: Path) -> Observed:
    """Train the two runs, of which the second is killed; make the caches and the report's summary."""
    os.environ["TANGSWEEP_HOME"] = str(base)
    os.chdir(base)
    os.environ[fault_points.VARIABLE] = KILLED_AT
    status, printed = call(f"{COMMAND}wandb")
    return {"crash": f"the command was not killed, but ended with {status}: {printed}"}


def write_prosody(base: Path) -> None:
    """Put tables of tones and rhymes into the cache: of 全唐诗 where that is at hand, else small ones."""
    from tangsweep.files import write_with_checksum
    from tangsweep.prosody import tables

    os.environ["TANGSWEEP_HOME"] = str(base)
    if os.environ.get("TANGSWEEP_DATA"):
        tables.load_or_build_tables()
        return
    content = {"tones": {"山": "平", "月": "仄"}, "rhymes": {"山": "間"}}
    tables.cache_path().parent.mkdir(parents=True, exist_ok=True)
    write_with_checksum(tables.cache_path(), json.dumps(content, ensure_ascii=False).encode())


def flip(home: Path, kind: Kind) -> tuple[Path, int]:
    """Flip a random bit of a file of this kind; return the file and the bit."""
    [file] = home.glob(kind.pattern)
    content = bytearray(file.read_bytes())
    bit = random.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    status = file.stat()
    file.chmod(0o644)
    file.write_bytes(content)
    file.chmod(status.st_mode)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # a disk does not say when it rots
    return file, bit


def try_flips(folder: Path, count: int, jobs: int) -> tuple[Tally, list[str]]:
    """Flip `count` bits, each in a copy, `jobs` at once; return the tally, and what did not hold."""
    import_everything()
    base = folder / "base"
    base.mkdir()
    write_prosody(base)
    made = observed_by(in_process(lambda: make_base(base), folder / "base.json"), folder / "base.json")
    if made != {"crash": f"it ended with {-signal.SIGKILL}"}:
        raise SystemExit(str(made))
    references = {mirror: make_reference(base, mirror) for mirror in ("csv", "wandb")}
    tally, problems, running = Tally(), list[str](), deque[Flip]()
    for number in range(count + jobs):
        if number < count:
            running.append(Flip.start(base, number))
        if running and (len(running) == jobs or number >= count):
            flipped = running.popleft()
            verdict = judge(
                references[flipped.kind.mirror], observed_by(flipped.pid, flipped.out), flipped.file
            )
            counts = tally.setdefault(flipped.kind.name, Counter())
            counts.update(tried=1, held=verdict.name != "wrong", **{verdict.name: 1})
            if verdict.name == "wrong":
                problems.append(f"{flipped.kind.name}, bit {flipped.bit}: {verdict.reason}")
                print(problems[-1], flush=True)
            shutil.rmtree(flipped.home, ignore_errors=True)
            if not number % 20:
                print(f"{sum(counts['tried'] for counts in tally.values())} flips so far", flush=True)
    return tally, problems


def make_reference(base: Path, mirror: str) -> Observed:
    """Return what is observed on a copy without a flip; twice, as it must be the same."""
    found = []
    for number in range(2):
        home = base.with_name(f"reference-{mirror}-{number}")
        shutil.copytree(base, home, symlinks=True)
        out = home.with_suffix(".json")
        found.append(observed_by(in_process(partial(observe, home, mirror), out), out))
        if "crash" in found[-1] or found[-1]["status"]:
            raise SystemExit(f"without a flip: {found[-1]}")
    for stage in STAGES:
        if differing := different(found[0][stage], found[1][stage]):
            raise SystemExit(f"two copies without a flip differ: {differing}")
    return found[0]


def import_everything() -> None:
    """Import what the processes need before they are forked; nothing is computed here."""
    import altair  # noqa: F401
    import pytorch_lightning  # noqa: F401
    import scipy.stats  # noqa: F401
    import wandb  # noqa: F401

    import tangsweep.commands.generate
    import tangsweep.commands.train
    import tangsweep.reporting.build
    import tangsweep.sweep.preload
    import tangsweep.training.run  # noqa: F401
