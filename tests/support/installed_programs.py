"""Programs that only tests start, each installed once in the cache of this machine."""

import shutil
import sys
from pathlib import Path

from flows.adapters import python
from flows.adapters.image.golang import alone, cache
from flows.adapters.process import run


def environment(package: str, version: str) -> Path:
    """An environment of Python with this package, apart from ours, which it would change."""
    folder = cache() / f"{package}-{version}"
    with alone(folder):
        if not folder.exists():
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
    folder = cache() / f"{package}-{version}"
    with alone(folder):
        if not folder.exists():
            part = folder.with_name(f".{folder.name}")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]
            run([*words, part, f"{package}@{version}"])
            part.replace(folder)
    return folder / "node_modules" / package
