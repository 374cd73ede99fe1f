"""The kernels in C, on the CPU, for float32 and float64; kernels/pytorch.py documents what they compute.

They are compiled once for each machine and user, and loaded with ctypes. The library lies in the cache under
a hash of all that it depends on: the sources, torch, the compiler and the processor. Machines that share a
folder therefore load only what was compiled for them. Each file is renamed into place when it is complete, so
that processes may compile at the same time.

A library is code: it is loaded only from a folder that nobody else can write to, and only where its checksum,
in a file beside it, is right. Otherwise it is compiled again.
"""

import ctypes
import functools
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from tangsweep.errors import UserError
from tangsweep.files import atomic_write, checksum_of, data_folder, display_path

NAME = "native"
TAKES_LOW_PRECISION = False
# With fewer operations in a step or a call, waiting for a second thread takes longer than it saves.
MIN_OPERATIONS_FOR_THREADS = 400_000
REAL_TYPES = {torch.float32: "float", torch.float64: "double"}
SOURCES = tuple(
    Path(__file__).parent / name for name in ("vector.h", "lstm.c", "cross_entropy.c", "update.c")
)
COMPILERS = ("cc", "gcc", "clang")
# No -ffast-math: a NaN must stay NaN. The OpenMP runtime comes with torch and is in the process already.
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-std=gnu11", "-fPIC")
OPENMP_FLAGS = (("-fopenmp",), ())  # without it, which some compilers lack, kernels use one thread
TIMEOUT_SECONDS = 120

UPDATE_RULES = ("rmsprop", "adadelta", "adamax", "nadam", "radam")
UPDATED_TENSORS = 5  # a weight, its gradient and three of state, as in kernels/update.c
SIZE, POINTER, THREADS = ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_int


def forward(U: Tensor, gates: Tensor, h: Tensor, c: Tensor, tanh_c: Tensor) -> None:
    T, B, H = tanh_c.shape
    library = load_library(REAL_TYPES[h.dtype])
    panels = h.new_empty(library.workspace(H))
    library.forward(T, B, H, *_addresses(U, gates, h, c, tanh_c, panels), _threads(8 * B * H * H))


def backward(
    U: Tensor, gates: Tensor, c: Tensor, tanh_c: Tensor, doutputs: Tensor | None, dh: Tensor, dc: Tensor
) -> None:
    T, B, H = tanh_c.shape
    library = load_library(REAL_TYPES[c.dtype])
    panels = c.new_empty(library.workspace(H))
    addresses = _addresses(U, gates, c, tanh_c, doutputs, dh, dc, panels)
    library.backward(T, B, H, *addresses, _threads(8 * B * H * H))


def cross_entropy(z: Tensor, targets: Tensor, scale: float, nats: Tensor) -> None:
    library = load_library(REAL_TYPES[z.dtype])
    threads = _threads(20 * z.numel())
    library.cross_entropy(*z.shape, *_addresses(z, targets), scale, *_addresses(nats), threads)


def hits(z: Tensor, targets: Tensor, hit: Tensor) -> None:
    library = load_library(REAL_TYPES[z.dtype])
    library.hits(*z.shape, *_addresses(z, targets, hit), _threads(z.numel()))


def update(rule: str, tensors: Sequence[Sequence[Tensor | None]], coefficients: Sequence[float]) -> None:
    """Make the optimizer step `rule` of kernels/update.c: each of `tensors` is a weight, its gradient and up
    to three tensors of state (None: the rule has none), all contiguous and of one size and dtype.
    """
    weight = tensors[0][0]
    assert weight is not None
    fields: list[int | None] = []
    for of_weight in tensors:
        addresses = _addresses(*of_weight)
        fields += [of_weight[0].numel(), *addresses, *[None] * (UPDATED_TENSORS - len(addresses))]  # type: ignore[union-attr]
    function = getattr(load_library(REAL_TYPES[weight.dtype]), rule)
    memory = (POINTER * len(fields))(*fields)
    k = (ctypes.c_double * len(coefficients))(*coefficients)
    function(len(tensors), memory, k, torch.get_num_threads())


def _threads(operations: int) -> int:
    return torch.get_num_threads() if operations >= MIN_OPERATIONS_FOR_THREADS else 1


def _addresses(*tensors: Tensor | None) -> list[int | None]:
    """Return the tensors' addresses for C. Raises ValueError for a tensor that is not contiguous."""
    for tensor in tensors:
        if tensor is not None and not tensor.is_contiguous():
            raise ValueError(f"a native kernel reads contiguous memory, got strides {tensor.stride()}")
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]


class KernelsUnavailable(Exception):
    """There is no library of native kernels; the text, one line, says why."""


@functools.cache
def why_unavailable(real: str = "float") -> str | None:
    """Return why the native kernels for the C type `real` cannot be used; None if they can."""
    try:
        load_library(real)
    except KernelsUnavailable as reason:
        return str(reason)
    return None


@functools.cache
def load_library(real: str) -> ctypes.CDLL:
    """Return the library for the C type `real`, float or double, compiling it where the cache lacks it.

    Raises KernelsUnavailable.
    """
    compiler = _find_compiler()
    problem = ""
    for openmp in OPENMP_FLAGS:
        flags = [*FLAGS, *openmp, *(["-DDOUBLE"] if real == "double" else [])]
        try:
            return _declare_functions(ctypes.CDLL(str(_find_or_compile(compiler, flags))), real)
        except (OSError, subprocess.SubprocessError, UserError) as error:
            output = getattr(error, "stderr", None) or str(error)
            problem = problem or next(
                (line for line in output.splitlines() if "error" in line), output.strip()
            )
    raise KernelsUnavailable(f"{compiler} cannot compile them ({problem.partition(chr(10))[0]})")


def _find_compiler() -> str:
    """Return the path of the compiler that CC names, else of the first of COMPILERS that exists."""
    names = [os.environ["CC"]] if os.environ.get("CC") else COMPILERS
    for name in names:
        if path := shutil.which(name):
            return path
    raise KernelsUnavailable(f"no C compiler ({', '.join(names)}) was found")


def _find_or_compile(compiler: str, flags: list[str]) -> Path:
    """Return the library's file; compile it where there is none that can be trusted."""
    macros = _run([compiler, *flags, "-dM", "-E", "-x", "c", os.devnull])  # compiler version and processor
    texts = [path.read_text(encoding="utf-8") for path in SOURCES]
    key = "\0".join([macros, torch.__version__, compiler, *flags, *texts])
    path = _library_folder() / f"{checksum_of(key.encode())[:16]}.so"
    checksum = path.with_suffix(".sha256")
    if not _is_intact(path, checksum):
        content = _compile(compiler, flags)
        atomic_write(path, content)
        atomic_write(checksum, checksum_of(content) + "\n")
    return path


def _library_folder() -> Path:
    """Return this user's folder of libraries, which nobody else can write to.

    Raises KernelsUnavailable where somebody else made it, and OSError where it cannot be made.
    """
    folder = data_folder() / "cache" / f"kernels-{os.geteuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
        raise KernelsUnavailable(f"{display_path(folder)} is no folder of this user's own: remove it")
    if _is_writable_by_others(status):
        for library in folder.glob("*.so"):  # whoever could write here may have put it there
            library.unlink(missing_ok=True)
        folder.chmod(0o700)
    return folder


def _is_intact(library: Path, checksum: Path) -> bool:
    """Return whether the library is as it was compiled, and no other user can have written it."""
    try:
        status = library.lstat()
        if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
            return False
        expected = checksum.read_text(encoding="ascii", errors="replace").strip()
        return not _is_writable_by_others(status) and checksum_of(library.read_bytes()) == expected
    except OSError:
        return False


def _is_writable_by_others(status: os.stat_result) -> bool:
    return bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _compile(compiler: str, flags: list[str]) -> bytes:
    """Return the compiled library."""
    with tempfile.TemporaryDirectory() as folder:
        objects, library = Path(folder) / "kernels.o", Path(folder) / "kernels.so"
        unit = "".join(f'#include "{source}"\n' for source in SOURCES)
        _run([compiler, *flags, "-c", "-x", "c", "-", "-o", str(objects)], unit)
        # Without -fopenmp: the linker would bring a second runtime, with threads of its own.
        _run([compiler, "-shared", str(objects), "-o", str(library), "-lm"])
        return library.read_bytes()


def _run(command: list[str], stdin: str = "") -> str:
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=True, timeout=TIMEOUT_SECONDS
    ).stdout


def _declare_functions(library: ctypes.CDLL, real: str) -> ctypes.CDLL:
    """Tell ctypes the signatures of the C functions."""
    real_type = ctypes.c_float if real == "float" else ctypes.c_double
    sizes = [SIZE] * 3
    library.workspace.argtypes, library.workspace.restype = [SIZE], SIZE
    library.forward.argtypes, library.forward.restype = [*sizes, *[POINTER] * 6, THREADS], None
    library.backward.argtypes, library.backward.restype = [*sizes, *[POINTER] * 8, THREADS], None
    library.cross_entropy.argtypes = [SIZE, SIZE, POINTER, POINTER, real_type, POINTER, THREADS]
    library.hits.argtypes = [SIZE, SIZE, *[POINTER] * 3, THREADS]
    library.cross_entropy.restype = library.hits.restype = None
    for rule in UPDATE_RULES:
        function = getattr(library, rule)
        function.argtypes, function.restype = [SIZE, POINTER, POINTER, THREADS], None
    return library
