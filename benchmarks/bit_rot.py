"""Part of `benchmarks/faults.py`: one bit flipped in a file that runs left, and what is then said and done.

A small sweep of two runs, one finished and one killed in its second epoch, is copied for each flip. A process
of its own then makes the report, composes a poem, gives the same command again, and makes the report and the
poem once more. All of it is compared with what comes of a copy without a flip: a flip holds where every
number that is reported is the same or left out, and anything that is not the same is named in a line.
"""

import json
import os
import random
import shutil
import signal
import time
from collections import Counter, deque
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

from flip_verdicts import STAGES, different, judge
from kills import Tally
from observed_runs import COMMAND, Observed, call, import_everything, in_process, observe, observed_by

from tangsweep import fault_points

KILLED_AT = "writing last.ckpt@5"  # the second epoch of the second run
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


def try_flips(folder: Path, count: int, jobs: int, minutes: float) -> tuple[Tally, list[str]]:
    """Flip `count` bits, each in a copy, `jobs` at once; return the tally, and what did not hold.

    No flip begins after so many minutes.
    """
    import_everything()
    deadline = time.monotonic() + 60 * minutes
    base = folder / "base"
    base.mkdir()
    write_prosody(base)
    made = observed_by(in_process(lambda: make_base(base), folder / "base.json"), folder / "base.json")
    if made != {"crash": f"it ended with {-signal.SIGKILL}"}:
        raise SystemExit(str(made))
    references = {mirror: make_reference(base, mirror) for mirror in ("csv", "wandb")}
    tally, problems, running = Tally(), list[str](), deque[Flip]()
    for number in range(count + jobs):
        is_ending = number >= count or time.monotonic() >= deadline
        if not is_ending:
            running.append(Flip.start(base, number))
        if running and (len(running) == jobs or is_ending):
            flipped = running.popleft()
            verdict = judge(
                references[flipped.kind.mirror], observed_by(flipped.pid, flipped.out), flipped.file
            )
            counts = tally.setdefault(flipped.kind.name, Counter())
            counts.update(tried=1, held=int(verdict.name != "wrong"), **{verdict.name: 1})
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
