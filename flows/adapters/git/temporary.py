"""Folders of clones: each is gone when its maker has ended, and at the latest with the next one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.adapters import held_folder
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
    path, lock = held_folder.make(place, _PREFIX)
    try:
        yield path
    finally:
        with boundary("git.clean"):
            shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def sweep(place: Path) -> None:
    """Remove the clones that nobody uses."""
    held_folder.sweep(place, _PREFIX)
