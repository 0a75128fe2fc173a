"""Whether this process is the only one of its kind on this machine.

The system lets go of the lock of a process that dies, however it dies.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OWN_FOLDER, _OWN_FILE = 0o700, 0o600


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Whether nobody else holds this lock; held while the block runs. Nobody is waited for."""
    path.parent.mkdir(mode=_OWN_FOLDER, parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, _OWN_FILE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)
