"""Python as a program that we start: with Sluice's modules, and nobody else's of the same name."""

import os
import sys
from pathlib import Path


def module(name: str) -> list[str]:
    """The words that run a module. Neither the current folder nor that of a file is imported from:
    a user may well be in one that has a `flows` or a `bento`.
    """
    return [sys.executable, "-P", "-m", name]


def importing(*folders: Path) -> dict[str, str]:
    """What is set for it: it imports from these folders and what is installed, and not from the
    user's PYTHONPATH.
    """
    return {"PYTHONPATH": os.pathsep.join(str(folder) for folder in folders)}
