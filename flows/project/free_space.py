"""Whether there is room for what a release writes, looked at before anything is written."""

import shutil
from collections.abc import Callable
from pathlib import Path

from sluice.errors import SluiceError

# A release without an image completed with 14 MB free; this is well above that. A full disk is told
# before minutes of work, and not by the program that met it.
REQUIRED = 64_000_000
_MEGABYTE = 1_000_000


def free(folder: Path) -> int:
    """The bytes that this user may still write where a folder is, or will be."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free


def require_space(home: Path, free: Callable[[Path], int] = free) -> None:
    """Raise SluiceError where less than `REQUIRED` bytes are free for the state folder."""
    have = free(home)
    if have < REQUIRED:
        raise SluiceError(
            f"free space at {home} is {have / _MEGABYTE:.1f} MB; {REQUIRED // _MEGABYTE} MB is"
            " required",
            "Free space there, or name a folder on another disk in SLUICE_HOME.",
        )
