"""What the console script `sluice` runs: Sluice's own rooms come first, then the command.

`PYTHONPATH` stands before everything that is installed, and a folder on it may well have a package
`flows` or `models`: every Prefect and every ML project has them. This name is nobody else's, so
that it is found, and it clears the way before anything with a common name is imported.
"""

import os
import sys
import sysconfig
from pathlib import Path


def main() -> None:
    """Run the command without the user's PYTHONPATH, and without the folder that it is typed in."""
    sys.path[:] = cleared(sys.path, os.environ.get("PYTHONPATH", ""))
    from flows.cli.main import program

    program()


def cleared(places: list[str], pythonpath: str) -> list[str]:
    """Where to import from: Sluice's own root first, then `places` without those of PYTHONPATH.

    What is installed stays, also where PYTHONPATH names it again.
    """
    theirs = {_whole(place) for place in pythonpath.split(os.pathsep)} if pythonpath else set()
    theirs.add(_whole(""))
    root = str(Path(__file__).resolve().parent.parent)
    paths = sysconfig.get_paths()
    installed = [paths["purelib"], paths["platlib"]]
    kept = [place for place in places if place in installed or _whole(place) not in theirs]
    missing = [place for place in installed if place not in kept]
    return list(dict.fromkeys([root, *kept, *missing]))


def _whole(place: str) -> str:
    return os.path.abspath(place)  # noqa: PTH100 - Path.resolve would follow links
