"""Files that others may be writing to: read whole, and written whole or not at all."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from shlex import quote

from flows.adapters.failpoints import boundary
from flows.adapters.private_files import make_private_folder
from sluice.errors import Refused, UsageError, cause


def changed_before(path: Path, limit: float) -> bool:
    """Whether a file or folder was last changed before `limit` (seconds since 1970).

    False where it is gone: a listing is old as soon as it is made, and another process may finish
    meanwhile what it names.
    """
    try:
        return path.lstat().st_mtime < limit
    except FileNotFoundError:
        return False


@boundary("data.read")
def read_stable(path: Path) -> bytes:
    """The bytes of a file, read once; every later step works on these bytes.

    Raise UsageError where there is no such file or it may not be read, Refused where it changed
    meanwhile.
    """
    with reading_stable(path) as (file, size):
        data = file.read()
        _require_same(path, len(data) == size, size, len(data))
    return data


@contextmanager
def reading_stable(path: Path) -> Iterator[tuple[BufferedReader, int]]:
    """A file open for reading, and its size in bytes. Raises as `read_stable`; that it changed, as
    it is closed.
    """
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise UsageError(
                    f"{path} is not a regular file", "Name a CSV or Parquet file on disk."
                )
            yield file, before.st_size
            after = os.fstat(file.fileno())
        named = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    same = len({_state(before), _state(after), _state(named)}) == 1
    _require_same(path, same, before.st_size, named.st_size)


def _require_same(path: Path, same: bool, before: int, now: int) -> None:
    if not same:
        what = f"{path} changed while it was read ({before} bytes before, {now} after)"
        raise Refused(what, "Wait until it is written completely, then run this again.")


def _state(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _unreadable(path: Path, error: OSError) -> UsageError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        near = next((folder for folder in path.parents if folder.is_dir()), Path())
        where = "" if near == path.parent else f" (nor the folder {path.parent})"
        return UsageError(
            f"there is no file {path}{where}",
            f"Check the path; the nearest folder is {near.resolve()}.",
        )
    if isinstance(error, IsADirectoryError):
        return UsageError(f"{path} is a folder", "Name the CSV or Parquet file in it.")
    if isinstance(error, PermissionError):
        return UsageError(
            f"{path} may not be read by this user",
            f"Give yourself the right: chmod u+r {quote(str(path))}",
        )
    return UsageError(
        f"{path} cannot be read: {cause(error)}",
        "Copy it to a local disk and try again.",
    )


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it."""
    make_private_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with boundary("file.write"), os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with boundary("file.rename"):
            Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
