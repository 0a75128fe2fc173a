"""A file in git that counts because somebody who may has signed the commit that last changed it."""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from flows.decision import signature
from flows.project import protected_branch
from flows.project.protected_branch import Protected
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError

_NAME_IT = "Set SLUICE_PROTECTED_REF to the branch that is reviewed, or remove the file."


@dataclass(frozen=True)
class Signed:
    """The text of a file as it was signed: by whom, in which commit, allowed by which branch."""

    text: str
    commit: str
    signer: str
    protected: Protected


def read(settings: Settings, path: str, today: datetime.date) -> Signed | None:
    """A file of the project with who signed it; None where there is no such file.

    One signature is asked for; this is the one place where it is. Raises UsageError where the file
    is not committed, Refused where nobody who may has signed it or nothing says who may.
    """
    project = settings.project
    if not (project / path).is_file():
        return None
    protected = _known(path, protected_branch.find(project, settings.protected_ref))
    commit = _commit(project, path)
    if protected.unfit:
        why = f"{protected.ref} allows no signers, because {protected.unfit}"
        raise Refused(f"{path}: {why}", _NAME_IT)
    who = signature.signer(project, commit, signature.allowed(project, protected.tip), today)
    if not who:
        raise Refused(
            f"{path}: commit {commit[:12]} is signed by nobody whom {signature.SIGNERS} or"
            f" {signature.KEYS} of {protected.named} allow",
            "Have one of them sign it with a key that is valid (git commit -S), or have the signer"
            " added on the protected branch first.",
        )
    return Signed(protected_branch.text(project, commit, path), commit, who, protected)


def _known(path: str, protected: Protected | None) -> Protected:
    """The protected branch, if there is one."""
    if protected is None or protected.unknown:
        why = protected.unknown if protected else "it is not in git"
        what = f"{path} needs a protected branch, and this project has none: {why}"
        raise Refused(what, _NAME_IT)
    return protected


def _commit(project: Path, path: str) -> str:
    """The commit that last changed the file."""
    dirty = protected_branch.ask(project, "status", "--porcelain", "--", path).strip()
    commit = protected_branch.ask(project, "rev-list", "--max-count=1", "HEAD", "--", path).strip()
    if dirty or not commit:
        raise UsageError(
            f"{path} is not committed as it stands", "Commit it with a signature: git commit -S."
        )
    return commit


def until(path: str, expires: object, today: datetime.date) -> datetime.date:
    """The last day on which a signed file counts. Raises UsageError for none or a past one."""
    if not _is_date(expires) or expires < today:
        raise UsageError(
            f"{path}: expires is {expires}", "Write a date that has not passed, such as 2027-01-31."
        )
    return expires


def _is_date(value: object) -> TypeGuard[datetime.date]:
    """Whether it is a date without a time: a datetime is a date for Python, and cannot be compared
    to one.
    """
    return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
