"""Things made once per machine and found there by a second clone: a file under a hash, checked on
use.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.adapters.failpoints import boundary


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes and threads; the system releases it when the holder
    dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@boundary("shelf.write")
def write(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with boundary("shelf.rename"):
        part.replace(path)


def intact(path: Path) -> bool:
    """Whether the file is there with the bytes that were once put there."""
    record = path.with_name(path.name + ".sha256")
    return path.is_file() and record.is_file() and record.read_text().strip() == sha256(path)


@boundary("shelf.put")
def put(path: Path, part: Path) -> None:
    """Move a finished file to its place on the shelf, its hash beside it."""
    write(path.with_name(path.name + ".sha256"), sha256(part).encode() + b"\n")
    part.replace(path)


def kept(path: Path, make: Callable[[Path], None]) -> Path:
    """The file on the shelf; where it is missing or damaged, `make` writes it first, in one process
    at a time.
    """
    with locked(path.with_name(f".{path.name}.lock")):
        if not intact(path):
            part = path.with_name(f".{path.name}.part")
            part.unlink(missing_ok=True)
            with boundary("shelf.make"):
                make(part)
            put(path, part)
    return path
