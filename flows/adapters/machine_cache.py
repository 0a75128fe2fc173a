"""Files that are made once per machine, and that every clone on it uses.

The hash of each lies beside it and is checked on use.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.adapters.failpoints import boundary
from sluice.identity import file_sha256

RECORD = ".sha256"  # behind the name of what it belongs to


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes and threads while the block runs.

    The system releases it when the holder dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@boundary("shelf.write")
def write(path: Path, content: bytes) -> None:
    """Write a file; a reader sees the old one or the new one whole, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with boundary("shelf.rename"):
        part.replace(path)


def intact(path: Path) -> bool:
    """Whether the file is there, with the bytes that were once put there."""
    record = record_of(path)
    if not path.is_file() or not record.is_file():
        return False
    return record.read_text().strip() == file_sha256(path)


@boundary("shelf.put")
def put(path: Path, part: Path) -> None:
    """Move the finished file `part` to `path`, its hash beside it."""
    write(record_of(path), file_sha256(part).encode() + b"\n")
    part.replace(path)


def kept(path: Path, make: Callable[[Path], None]) -> Path:
    """The file at `path`. Where it is missing or damaged, `make` writes it to a path of its own
    first, in one process at a time.
    """
    with locked(lock_of(path)):
        if not intact(path):
            part = path.with_name(f".{path.name}.part")
            part.unlink(missing_ok=True)
            with boundary("shelf.make"):
                make(part)
            put(path, part)
    return path


def lock_of(path: Path) -> Path:
    """The file that is locked by who makes or removes `path`."""
    return path.with_name(f".{path.name}.lock")


def record_of(path: Path) -> Path:
    """The file that has the hash of `path`."""
    return path.with_name(f"{path.name}{RECORD}")
