"""Errors that a person can act on.

    SluiceError       exit 1   something failed
    |-- Retryable     exit 1   the same call may work later: a server was down, a race was lost
    |-- UsageError    exit 2   a setting, an argument or a file of ours is wrong
    |-- Refused       exit 3   the data or the model is refused: an outcome, not a crash

A message says what happened and which value; `fix` says what to do next.
"""

import errno
import re


class SluiceError(Exception):
    """The root: `what` happened (with the value) and the `fix` that helps."""

    exit_code = 1

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  {self.fix}" if self.fix else self.what


class Retryable(SluiceError):
    """The same call may succeed later."""


class UsageError(SluiceError):
    """The user's settings, arguments or files are wrong."""

    exit_code = 2


class Refused(SluiceError):
    """Looked at and refused: an outcome, not a crash."""

    exit_code = 3


_NUMBER = re.compile(r"^\[Errno -?\d+\] ")  # before what the system says, in texts of libraries
_CAUSES = (
    (FileNotFoundError, "there is no such file"),
    (IsADirectoryError, "it is a folder"),
    (NotADirectoryError, "there is no such folder"),
    (PermissionError, "it may not be read"),
    (RecursionError, "it is nested too deeply to be read"),
)


def cause(error: Exception) -> str:
    """Why something failed, in words and without the name of a class; a file is named by who
    tells it.
    """
    if isinstance(error, SluiceError):
        return error.what
    for kind, words in _CAUSES:
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError) and error.strerror:
        return f"the system says: {error.strerror}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, TypeError):
        return "it has another form than is required"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return _NUMBER.sub("", str(error)) or f"it ended with {type(error).__name__}"


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


def disk(error: Exception) -> SluiceError | None:
    """What a person is told where a disk is full, broken or read-only; None for everything else."""
    if not isinstance(error, OSError) or error.errno not in _DISK:
        return None
    where = f" ({error.filename})" if error.filename else ""
    fix = (
        "Free space there, or look after that disk; then run the same command again: what was done"
        " is kept."
    )
    return SluiceError(f"the system says: {error.strerror}{where}", fix)
