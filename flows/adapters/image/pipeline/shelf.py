"""What is kept on this machine of pipeline images: archives, layers, and images, each a folder of
hard links. What no build used for a month goes.
"""

import os
import shutil
import time
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.files import changed_before

UNUSED = 30 * 86_400.0  # seconds
_IMAGES = "images"


def place(cache: Path) -> Path:
    """The folder of all of it, in the machine's `cache`."""
    return cache / "pipeline"


def image(cache: Path, tag: str) -> Path:
    """The folder of one image."""
    return place(cache) / _IMAGES / tag


def used(path: Path) -> Path:
    """Note that a build used a file or folder, and return it."""
    os.utime(path)
    return path


def sweep(cache: Path, older_than: float = UNUSED) -> list[Path]:
    """Remove what was not used for `older_than` seconds, but for locks; return what went.

    Another process may use it again just then: it is looked at once more under its lock.
    """
    limit = time.time() - older_than
    entries = [*place(cache).glob("*"), *(place(cache) / _IMAGES).glob("*")]
    return [
        entry
        for entry in entries
        if not entry.name.startswith(".")
        and entry.suffix != machine_cache.RECORD
        and entry.name != _IMAGES
        and changed_before(entry, limit)
        and _removed(entry, limit)
    ]


def _removed(entry: Path, limit: float) -> bool:
    with machine_cache.locked(machine_cache.lock_of(entry)):
        if not changed_before(entry, limit):
            return False
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
            machine_cache.record_of(entry).unlink(missing_ok=True)
        return True
