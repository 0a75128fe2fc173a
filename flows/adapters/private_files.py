"""Files with rows of people: nobody else on the machine reads them.

What this process and the servers that it starts write is private from the start, by the umask.
Programs that end, as git and the builders of images, keep the user's own: what they write is made
for others to read, in repositories and in images.
"""

import contextlib
import os
from pathlib import Path

_OTHERS = 0o077  # the rights of everybody else
_FOLDER, _FILE = 0o700, 0o600
_users: list[int] = []


def keep_private() -> None:
    """Let what is written from now on be this user's alone. Doing it again changes nothing."""
    before = os.umask(_OTHERS)
    if not _users:
        _users.append(before)


def users_umask() -> int:
    """The umask that programs get: the user's own, or -1 for the one that is in force."""
    return _users[0] if _users else -1


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, this user's alone."""
    for missing in reversed([folder, *folder.parents]):
        with contextlib.suppress(FileExistsError):
            missing.mkdir(_FOLDER)


def close_folder(folder: Path) -> None:
    """Make a folder and take from others their rights to it, where it is this user's.

    An older version let them read what is in it.
    """
    make_private_folder(folder)
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(folder.stat().st_mode & ~_OTHERS)


def make_private(folder: Path) -> None:
    """Take from others their rights to everything in a folder; a link is left alone."""
    folder.chmod(_FOLDER)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(_FOLDER if path.is_dir() else _FILE)
