"""Programs that only tests start, each installed once in the cache of this machine."""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.adapters import python
from flows.adapters.process import run


def environment(package: str, version: str) -> Path:
    """An environment of Python with this package, apart from ours, which it would change."""
    folder = _cache() / f"{package}-{version}"
    with _alone(folder) as missing:
        if missing:
            part = folder.with_name(f".{folder.name}")
            shutil.rmtree(part, ignore_errors=True)
            uv = python.module("uv")
            run([*uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, part])
            at = ["--python", part / "bin" / "python"]
            run([*uv, "pip", "install", "--quiet", *at, f"{package}=={version}"])
            part.replace(folder)
    return folder


def of_node(package: str, version: str) -> Path:
    """The folder of this package of npm, with what it needs; no script of a package is run."""
    folder = _cache() / f"{package}-{version}"
    with _alone(folder) as missing:
        if missing:
            part = folder.with_name(f".{folder.name}")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]
            run([*words, part, f"{package}@{version}"])
            part.replace(folder)
    return folder / "node_modules" / package


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root).absolute() / "sluice" / "tools"


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether the folder is missing; processes that want it at the same time wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not folder.exists()
