"""Errors that a person can act on.

    SluiceError       exit 1   something failed
    |-- Retryable     exit 1   the same call may work later: a server was down, a race was lost
    |-- UsageError    exit 2   a setting, an argument or a file of ours is wrong
    |-- Refused       exit 3   the data or the model is refused: an outcome, not a crash

A message says what happened and which value; `fix` says what to do next.
"""

import errno


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
