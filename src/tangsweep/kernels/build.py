"""The C kernels as a library: compiled once a machine, kept in the cache, loaded with ctypes.

A file's name holds a hash of all that it depends on: the sources, torch, and what the compiler says of
itself and of the processor. Machines that share a folder therefore load only what was made for them. It
is renamed into place when it is whole, so that processes which build at once do not meet.
"""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

from tangsweep.files import data_folder

SOURCES = tuple(Path(__file__).parent / name for name in ("vector.h", "lstm.c", "cross_entropy.c"))
COMPILERS = ("cc", "gcc", "clang")
# No fast-math: a NaN must come out as NaN. What OpenMP needs at run time is in the process already, with
# torch; a compiler without it makes kernels of one thread.
FLAGS = ("-O3", "-march=native", "-std=gnu11", "-fPIC")
OPTIONS = (("-fopenmp",), ())
SECONDS = 120  # a compiler that takes longer has hung

SIZE, POINTER, THREADS = ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_int


class Unavailable(Exception):
    """Why there is no library, in one line."""


@functools.cache
def missing(real: str = "float") -> str | None:
    """Why the native kernels for `real` cannot be used here; None: they can."""
    try:
        load(real)
    except Unavailable as reason:
        return str(reason)
    return None


@functools.cache
def load(real: str) -> ctypes.CDLL:
    """The library for `real` float or double, compiled where the cache lacks it. Raises Unavailable."""
    compiler = _compiler()
    problem = ""
    for option in OPTIONS:
        flags = [*FLAGS, *option, *(["-DDOUBLE"] if real == "double" else [])]
        try:
            return _declared(ctypes.CDLL(str(_built(compiler, flags))), real)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            problem = problem or next((line for line in said.splitlines() if "error" in line), said.strip())
    raise Unavailable(f"{compiler} did not make them ({problem.partition(chr(10))[0]})")


def _compiler() -> str:
    """The command that CC names, else the first that there is."""
    wanted = [os.environ["CC"]] if os.environ.get("CC") else COMPILERS
    for name in wanted:
        if found := shutil.which(name):
            return found
    raise Unavailable(f"no C compiler ({', '.join(wanted)}) was found")


def _built(compiler: str, flags: list[str]) -> Path:
    """The library's file, made where it is not there yet."""
    described = _run([compiler, *flags, "-dM", "-E", "-x", "c", os.devnull])  # version and processor
    texts = [path.read_text(encoding="utf-8") for path in SOURCES]
    key = "\0".join([described, torch.__version__, compiler, *flags, *texts])
    path = data_folder() / "cache" / f"kernels-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".kernels-") as folder:
            objects, whole = Path(folder) / "kernels.o", Path(folder) / "kernels.so"
            unit = "".join(f'#include "{source}"\n' for source in SOURCES)
            _run([compiler, *flags, "-c", "-x", "c", "-", "-o", str(objects)], unit)
            # Without -fopenmp: the linker would bring a second runtime, with threads of its own.
            _run([compiler, "-shared", str(objects), "-o", str(whole), "-lm"])
            whole.replace(path)
    return path


def _run(command: list[str], given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=SECONDS)
    return done.stdout


def _declared(made: ctypes.CDLL, real: str) -> ctypes.CDLL:
    number = ctypes.c_float if real == "float" else ctypes.c_double
    sizes = [SIZE] * 3
    made.workspace.argtypes, made.workspace.restype = [SIZE], SIZE
    made.forward.argtypes, made.forward.restype = [*sizes, *[POINTER] * 6, THREADS], None
    made.backward.argtypes, made.backward.restype = [*sizes, *[POINTER] * 8, THREADS], None
    made.cross_entropy.argtypes = [SIZE, SIZE, POINTER, POINTER, number, POINTER, THREADS]
    made.hits.argtypes = [SIZE, SIZE, *[POINTER] * 3, THREADS]
    made.cross_entropy.restype = made.hits.restype = None
    return made
