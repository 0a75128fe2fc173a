"""What the console script `sluice` runs: Sluice's own rooms come first, then the command.

`PYTHONPATH` stands before everything that is installed, and a folder on it may well have a package
`flows` or `models`: every Prefect and every ML project has them. This name is nobody else's, so
that it is found, and it clears the way before anything with a common name is imported.

Files, git and every program that is started here speak UTF-8. Where the locale is another one, the
names of folders and what is typed would be read by it and written as UTF-8: so the command begins
anew in UTF-8, and only what it prints is in the encoding of the terminal.
"""

import os
import sys
import sysconfig
from pathlib import Path


def main() -> None:
    """Run the command without the user's PYTHONPATH, and without the folder that it is typed in."""
    if sys.getfilesystemencoding().lower() not in ("utf-8", "utf8"):
        _begin_in_utf8()
    # The streams of this process are open. What it starts is read as UTF-8.
    os.environ.pop("PYTHONIOENCODING", None)
    sys.path[:] = cleared(sys.path, os.environ.get("PYTHONPATH", ""))
    from flows.cli.main import program

    program()


def _begin_in_utf8() -> None:
    """Become the same command in UTF-8; this process goes on as that one."""
    first = len(sys.orig_argv) - len(sys.argv) + 1
    script, typed = sys.orig_argv[1:first], sys.orig_argv[first:]
    words: list[str | bytes] = [sys.executable, "-X", "utf8", *script]
    words += [in_utf8(word) for word in typed]
    env = dict(os.environb)
    for name, value in os.environ.items():
        if name.startswith("SLUICE_"):
            env[name.encode()] = in_utf8(value)
    printed = os.environ.get("PYTHONIOENCODING") or sys.stdout.encoding
    env |= {b"PYTHONIOENCODING": printed.encode(), b"LC_ALL": b"C.UTF-8", b"PYTHONUTF8": b"1"}
    os.execve(sys.executable, words, env)  # noqa: S606


def in_utf8(word: str) -> bytes:
    """What was typed, in UTF-8.

    The name of a file that is there keeps its bytes, and so does what is UTF-8 already.
    """
    typed = os.fsencode(word)
    if os.path.lexists(typed):
        return typed
    try:
        typed.decode("utf-8")
    except UnicodeDecodeError:
        return word.encode("utf-8", "surrogateescape")
    return typed


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
