"""Where files lie, and atomic writes. Only this module reads TANGSWEEP_HOME.

In a checkout, conf/, sweeps/, data/sample/ and data/model/ lie in the repository. An installed wheel has
copies of them in the package (setup.py), and its outputs and data go to the working directory.
"""

import errno
import glob
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tangsweep.errors import UserError
from tangsweep.fault_points import fault_point
from tangsweep.printable import printable_line

MOST_BYTES = 500_000_000  # of a file that is read as a whole
SPARE_BYTES = 1_000_000  # by which a file may have grown since its size was asked for
REPOSITORY = Path(__file__).resolve().parents[2]  # of a checkout
IS_CHECKOUT = (REPOSITORY / "conf" / "train.yaml").exists()
INSTALLED_FILES = REPOSITORY if IS_CHECKOUT else Path(__file__).resolve().parent / "installed_files"
CONFIG_FOLDER = INSTALLED_FILES / "conf"
BUNDLED_SAMPLE = INSTALLED_FILES / "data" / "sample"
BUNDLED_MODEL = INSTALLED_FILES / "data" / "model"


def home_folder() -> Path:
    """Return the folder that relative paths are relative to.

    It is TANGSWEEP_HOME, else the repository, else, without a checkout, the working directory. Raises
    UserError where TANGSWEEP_HOME names a file.
    """
    default = REPOSITORY if IS_CHECKOUT else Path.cwd()
    home = Path(os.environ.get("TANGSWEEP_HOME") or default).expanduser().resolve()
    if home.exists() and not home.is_dir():
        raise UserError(f"TANGSWEEP_HOME={home} is no folder: name one that can be written")
    return home


def absolute_path(path: str | Path) -> Path:
    """Return an absolute path; a relative one is relative to `home_folder()`, not the working directory."""
    return home_folder() / Path(path).expanduser()


def user_path(path: str) -> Path:
    """Return the path that a user typed.

    It is relative to the working directory where it exists there, else to `home_folder()`.
    """
    literal = Path(path).expanduser()
    return literal if literal.exists() else absolute_path(path)


def data_folder() -> Path:
    """Return the folder of downloaded corpora and of the caches."""
    return absolute_path("data")


def outputs_folder() -> Path:
    """Return the folder of all sweeps, which holds a folder for each sweep with a folder for each run."""
    return absolute_path("outputs")


def display_path(path: Path) -> str:
    """Format a path for messages: relative to the working directory where it lies inside it."""
    try:
        return printable_line(str(path.relative_to(Path.cwd())))
    except ValueError:
        return printable_line(str(path))


def user_folders(folders: Sequence[str | Path]) -> list[Path]:
    """Return the absolute paths of folders that a user named; each is looked for as `user_path` says."""
    return [user_path(str(folder)).resolve() for folder in folders]


def report_folder(sweeps: Sequence[Path], out: str | None) -> Path:
    """Return the folder of a report: the one named, else that of the sweep. Raises UserError for several."""
    if out is not None:
        return Path(out).expanduser().absolute()
    if len(sweeps) > 1:
        raise UserError("several folders make one report: name the folder to write it to with --out")
    return sweeps[0]


def safe_name(name: str) -> str:
    """Return `name` as a file name.

    Every `+` is removed, and every sequence of other characters than `[A-Za-z0-9._-]` becomes one dash.
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.replace("+", "")).strip("-.")


def read_regular_file(path: Path) -> bytes:
    """Return the content of a file.

    Raises OSError where there is none; where it is no regular file, since a pipe or a device might never end;
    and where it has more than MOST_BYTES.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(code, "it is no regular file", str(path))
    content = b""
    if status.st_size <= MOST_BYTES:
        with path.open("rb") as file:
            content = file.read(status.st_size + SPARE_BYTES)
    if max(status.st_size, len(content)) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MOST_BYTES // 1_000_000} MB", str(path))
    return content


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a temporary file beside `path`, flush it to disk, and rename it to `path`.

    A full disk or a kill leaves the previous content. Raises UserError where the folder cannot be written
    or the disk is full.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fault_point(f"writing {path.name}")
        temporary.chmod(0o644)
        temporary.replace(path)
        fault_point(f"wrote {path.name}")
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def remove_interrupted_writes(path: Path) -> None:
    """Remove the temporary files that processes left beside `path` when they were killed in `atomic_write`.

    Call it only where no other process can be writing `path`.
    """
    random_part = "[a-z0-9_]" * 8  # as mkstemp draws it
    for temporary in path.parent.glob(f".{glob.escape(path.name)}.{random_part}"):
        temporary.unlink(missing_ok=True)


def checksum_of(content: bytes) -> str:
    """Return the SHA-256 of `content` as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def write_with_checksum(path: Path, content: bytes) -> None:
    """Write a line with the checksum of `content`, and `content` below it. Raises as `atomic_write` does."""
    atomic_write(path, f"{checksum_of(content)}\n".encode() + content)


def read_with_checksum(path: Path) -> bytes | None:
    """Return what `write_with_checksum` wrote; None where there is no such file, or it was changed since."""
    try:
        checksum, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return content if checksum == checksum_of(content).encode() else None


def cannot_write(path: Path, error: OSError) -> UserError:
    """Return the error to raise where a folder cannot be written or the disk is full."""
    return UserError(
        f"cannot write {path} ({error.strerror or error}): free some space, mend its permissions, "
        "or set TANGSWEEP_HOME to a folder that can be written"
    )


def new_output_file(name: str, option: str = "--out") -> Path:
    """Return the path that an option names, which is relative to the working directory.

    Raises UserError where the file exists already, since nothing is overwritten, or where its folder does
    not exist.
    """
    path = Path(name).expanduser().absolute()
    if path.exists():
        raise UserError(f"{option} {name} exists already: name another file, or move it away")
    if not path.parent.is_dir():
        raise UserError(f"{option} {name}: the folder {path.parent} does not exist, make it first")
    return path


def write_new_file(path: Path, text: str) -> None:
    """Write a new file. Raises UserError where it exists by then or cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{path} exists by now: name another file; equal seeds give equal texts") from None
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): name another file") from None
