"""Folders of clones: each is gone when its maker has ended, and at the latest with the next one.

Who uses a folder holds a lock on it, and the system lets go of the lock of a process that dies,
however it dies. No process id and no clock is asked: either may be another one's by now.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.adapters.failpoints import boundary

# Not that of versions that hold no lock, which may be running beside this one.
_PREFIX = "sluice-clone-"


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of the system's temporary one while the block runs.

    Folders of this user whose makers are dead are removed first.
    """
    place = Path(tempfile.gettempdir())
    with boundary("git.sweep"):
        sweep(place)
    path, lock = _made(place)
    try:
        yield path
    finally:
        with boundary("git.clean"):
            shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def sweep(place: Path) -> None:
    """Remove the folders that nobody uses; what belongs to another user, or is a link, stays."""
    with os.scandir(place) as entries:
        ours = [
            Path(entry.path)
            for entry in entries
            if entry.name.startswith(_PREFIX) and _is_ours(entry)
        ]
    for path in ours:
        with contextlib.suppress(OSError):  # it is in use, or another sweep was faster
            _remove_unused(path)


def _is_ours(entry: "os.DirEntry[str]") -> bool:
    try:
        is_folder = entry.is_dir(follow_symlinks=False)
        return is_folder and entry.stat(follow_symlinks=False).st_uid == os.getuid()
    except OSError:  # gone meanwhile
        return False


def _remove_unused(path: Path) -> None:
    """Remove a folder. Raises OSError where somebody holds its lock."""
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


def _made(place: Path) -> tuple[Path, int]:
    """A new folder, and the lock on it: made again where a sweep came between the two."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)
