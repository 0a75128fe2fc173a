"""Whether a folder lies in a repository, and what to do where git does not read the one that is
there.

"Not in git" and "git failed" are told apart by what lies on the disk, not by git's words.
"""

import os
import shlex
from pathlib import Path

from flows.adapters.process import LATE, CommandFailed
from sluice.errors import SluiceError, UsageError

_MISSING = 127  # the exit code of a program that is not there
_SHOWN = 300  # characters of what git said that an error shows


def above(folder: Path) -> Path | None:
    """The nearest folder, this one or one above it, that holds a `.git`; None outside of git.

    As git does, it looks no further than the file system of the folder goes.
    """
    start = folder.resolve()
    device = start.stat().st_dev
    for place in (start, *start.parents):
        if place.stat().st_dev != device:
            return None
        if os.path.lexists(place / ".git"):
            return place
    return None


def unreadable(place: Path, error: CommandFailed) -> SluiceError:
    """What it means that git failed in a repository which is there: never that there is none.

    A git that is missing, late or killed says so itself.
    """
    if error.result.code in (LATE, _MISSING) or error.result.code < 0:
        return error
    said = " ".join(error.result.stderr.split())[:_SHOWN]
    return UsageError(
        f"git does not read the repository {place}: {said or 'it says nothing'}",
        "Where it belongs to another user, run `git config --global --add safe.directory"
        f" {shlex.quote(str(place))}`; otherwise mend what `git status` says there.",
    )


def broken(place: Path) -> UsageError:
    """A repository whose HEAD leads to no commit, and that is not just without a first one."""
    return UsageError(
        f"HEAD of the repository {place} leads to no commit",
        "Mend what `git fsck` says there, or clone it anew.",
    )
