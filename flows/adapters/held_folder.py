"""Folders that are held while they are used: what is not held was left by a process that died.

Who uses a folder holds a lock on it, and the system lets go of the lock of a process that dies,
however it dies. No process id and no clock is asked: either may be another one's by now. What the
process started does not hold it.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def make(place: Path, prefix: str) -> tuple[Path, int]:
    """A new folder in `place`, and the lock on it, to be closed at the end: made again where a
    sweep came between the two.
    """
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)


def sweep(place: Path, prefix: str, first: Callable[[Path], object] = lambda _: None) -> None:
    """Remove the folders that nobody holds, after `first` was done with each; what belongs to
    another user, or is a link, stays.
    """
    with os.scandir(place) as entries:
        ours = [
            Path(entry.path)
            for entry in entries
            if entry.name.startswith(prefix) and _is_ours(entry)
        ]
    for path in ours:
        with contextlib.suppress(OSError):  # it is in use, or another sweep was faster
            _remove_unused(path, first)


def _is_ours(entry: "os.DirEntry[str]") -> bool:
    try:
        is_folder = entry.is_dir(follow_symlinks=False)
        return is_folder and entry.stat(follow_symlinks=False).st_uid == os.getuid()
    except OSError:  # gone meanwhile
        return False


def _remove_unused(path: Path, first: Callable[[Path], object]) -> None:
    """Remove a folder. Raises OSError where somebody holds its lock."""
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        first(path)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
