"""Overrides: a signed file in git that sets one rule aside for one candidate, until a day.

    overrides/<model>/<candidate's tag>.toml      candidate, rule, reason, expires (a date)
    overrides/allowed_signers                     who may, as ssh-keygen has it
    overrides/keys.asc                            who may, as armoured OpenPGP keys

The signature is that of the commit that last changed the file, verified by git itself. Signers and
keys are read from the protected base commit, never from the tree of the change that is judged: who
could change them could allow anybody.
"""

import contextlib
import datetime
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import msgspec
from msgspec import Struct, structs

from flows.adapters import process
from flows.adapters.git import git
from flows.decision import protected_base
from flows.engine.request import Request
from sluice.errors import Refused, UsageError
from sluice.gate.decide import MAY_BE_WAIVED, NEVER_WAIVED
from sluice.gitops.state import Override

_GOOD = "G"  # what git calls a signature that is valid, of a key that is trusted
SIGNERS, KEYS = "overrides/allowed_signers", "overrides/keys.asc"


def find(request: Request, candidate: str, today: datetime.date) -> Override:
    """The override of a candidate (its tag), verified; without texts where there is no file.

    Raises UsageError where the file is wrong, Refused where nobody who may has signed it.
    """
    project = request.settings.project
    path = f"overrides/{request.model}/{candidate}.toml"
    if not (project / path).is_file():
        return Override()
    base = protected_base.base(project, request.settings.protected_ref)
    if not base:
        raise Refused(
            f"{path}: an override needs a protected branch, and this project has none",
            "Set SLUICE_PROTECTED_REF to the branch that is reviewed, or remove the override.",
        )
    commit = _commit(project, path)
    signer = _signer(project, commit, base)
    if not signer:
        raise Refused(
            f"{path}: commit {commit[:12]} is signed by nobody whom {SIGNERS} or {KEYS} of base"
            f" {base[:12]} allow",
            "Have one of them sign it (git commit -S), or have the signer added on the protected"
            " branch first.",
        )
    text = protected_base.text(project, commit, path)
    return structs.replace(_read(path, text, candidate, today), commit=commit, signer=signer)


def _commit(project: Path, path: str) -> str:
    """The commit that last changed the file."""
    dirty = git.git("status", "--porcelain", "--", path, cwd=project).strip()
    commit = git.git("log", "-1", "--format=%H", "--", path, cwd=project).strip()
    if dirty or not commit:
        raise UsageError(
            f"{path} is not committed as it stands", "Commit it with a signature: git commit -S."
        )
    return commit


def _signer(project: Path, commit: str, base: str) -> str:
    """Who signed the commit, of those whom the protected base allows; empty if none of them did."""
    with tempfile.TemporaryDirectory(prefix="signers-") as name:
        signers = Path(name) / "signers"
        signers.write_text(protected_base.text(project, base, SIGNERS), encoding="utf-8")
        with _keyring(Path(name), protected_base.text(project, base, KEYS)) as environment:
            return _verified(project, commit, signers, environment)


@contextlib.contextmanager
def _keyring(folder: Path, keys: str) -> Iterator[dict[str, str]]:
    """The environment in which git asks a keyring of these keys alone.

    Every key in it is one that the base allows, so all of them are trusted.
    """
    environment = {"GNUPGHOME": str(folder)}
    if not keys:
        yield environment
        return
    (folder / "gpg.conf").write_text("trust-model always\n", encoding="utf-8")
    process.run(["gpg", "--batch", "--quiet", "--import"], stdin=keys, env=environment)
    try:
        yield environment
    finally:
        # gpg leaves an agent behind, which would hold the folder.
        with contextlib.suppress(process.CommandFailed):
            process.run(["gpgconf", "--kill", "all"], env=environment)


def _verified(project: Path, commit: str, signers: Path, environment: dict[str, str]) -> str:
    """The signer of a commit whose signature git calls good; empty for any other."""
    allowed = ("-c", f"gpg.ssh.allowedSignersFile={signers}")
    lines = git.git(
        *allowed, "log", "-1", "--format=%G?%n%GS", commit, cwd=project, env=environment
    ).splitlines()
    state, signer = (*lines, "", "")[:2]
    if state != _GOOD:
        return ""
    return signer


class _File(Struct, frozen=True):
    """The file as a person wrote it: any value may be missing or wrong."""

    candidate: object = ""
    rule: object = ""
    reason: object = ""
    expires: object = ""


def _read(path: str, text: str, candidate: str, today: datetime.date) -> Override:
    """The override in a file. Raises UsageError, which says what is wrong in it."""
    try:
        written = msgspec.convert(tomllib.loads(text), _File)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}", "Correct the line it names.") from None
    _check_whole(path, written, candidate)
    rule = _rule(path, written.rule)
    expires = _expires(path, written.expires, today)
    reason = " ".join(str(written.reason).split())
    return Override(rule, reason, expires.isoformat())


def _check_whole(path: str, written: _File, candidate: str) -> None:
    needs = f"It needs candidate = {candidate!r}, rule, reason and expires."
    missing = [name for name, value in structs.asdict(written).items() if not value]
    if missing:
        raise UsageError(f"{path} lacks {', '.join(missing)}", needs)
    if written.candidate != candidate:
        raise UsageError(f"{path} names candidate {written.candidate!r}", needs)


def _rule(path: str, rule: object) -> str:
    if rule in NEVER_WAIVED:
        raise UsageError(
            f"{path}: rule {rule!r} can never be waived", f"Nor can {', '.join(NEVER_WAIVED)}."
        )
    if not isinstance(rule, str) or rule not in MAY_BE_WAIVED:
        raise UsageError(
            f"{path}: there is no rule {rule!r}", f"Write one of {', '.join(MAY_BE_WAIVED)}."
        )
    return rule


def _expires(path: str, expires: object, today: datetime.date) -> datetime.date:
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
