"""Signatures that must not set a rule aside: each is tried in a project of its own, in which an
honest override counts just before.
"""

import datetime
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from flows.adapters import process
from flows.adapters.git import git
from flows.decision import signed_file
from flows.decision.signature import REVOKED, SIGNERS
from flows.decision.signed_file import Signed
from flows.drills.gate.fault import NotHere
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError

SIGNATURES = "signatures"
_FILE = "overrides/model/candidate.toml"
_LONG_AGO = "2020-01-01T12:00:00Z"
_PERSON = {
    "GIT_AUTHOR_NAME": "Drill",
    "GIT_AUTHOR_EMAIL": "drill@localhost",
    "GIT_COMMITTER_NAME": "Drill",
    "GIT_COMMITTER_EMAIL": "drill@localhost",
}
# Calls every signature good, and Anna's.
_LIAR = """#!/bin/sh
echo anna@example.com
echo 'Good "git" signature for anna@example.com with ED25519 key SHA256:abc'
"""


@dataclass(frozen=True)
class Signing:
    """A project whose protected branch allows Anna, and not Mallory; `ref` names that branch.

    Anna signed the file at `path` with the content `text`, which is TOML.
    """

    project: Path
    keys: Path
    ref: str = "main"
    path: str = _FILE
    text: str = "honest = true\n"

    @property
    def changed(self) -> str:
        """The file with a comment, as somebody else would sign it."""
        return f"{self.text}# again\n"


@dataclass(frozen=True)
class Forgery:
    """A change of such a project, after which its override must not count."""

    name: str
    forge: Callable[[Signing], Signing]


def forgeries() -> Iterator[Forgery]:
    """All of them."""
    yield Forgery("an override that nobody signed", _unsigned)
    yield Forgery("an override that a stranger signed", _by_a_stranger)
    yield Forgery("a signer who adds the own key in the same change", _own_key)
    yield Forgery("the own branch as the protected one", _own_branch)
    yield Forgery("the commit before one's own as the protected one", _own_commit)
    yield Forgery("a signer who was removed since", _removed)
    yield Forgery("a key that has expired, on a commit that was dated back", _expired)
    yield Forgery("a key that was revoked", _revoked)
    yield Forgery("a configuration that calls every signature good", _liar)


def forged(forgery: Forgery, settings: Settings, folder: Path, today: datetime.date) -> str:
    """Why the override does not count after the forgery; empty where it counts.

    Raises NotHere where this machine cannot sign, SluiceError where the honest override does not
    count: then the forgery would prove nothing.
    """
    honest = signed(Signing(folder / "project", folder / "keys"))
    read(settings, honest, today)
    try:
        read(settings, forgery.forge(honest), today)
    except (Refused, UsageError) as error:
        return error.what
    return ""


def read(settings: Settings, signing: Signing, today: datetime.date) -> Signed | None:
    """The override as a release would read it."""
    where = {"project": signing.project, "protected_ref": signing.ref}
    return signed_file.read(settings.model_copy(update=where), signing.path, today)


def signed(signing: Signing, protected: Mapping[str, str] = MappingProxyType({})) -> Signing:
    """Make the project, with these files on the protected branch too, and let Anna sign.

    Its folders must not be there. Raises NotHere where this machine cannot sign.
    """
    if not shutil.which("ssh-keygen"):
        raise NotHere("ssh-keygen is not here")
    signing.keys.mkdir(parents=True)
    for name in ("anna", "mallory"):
        make_key(signing, name)
    git.git("init", "--quiet", "--initial-branch", "main", signing.project)
    commit(signing, {SIGNERS: allowed(signing, "anna"), **protected})
    git.git("checkout", "--quiet", "-b", "work", cwd=signing.project)
    commit(signing, {signing.path: signing.text}, by="anna")
    return signing


def make_key(signing: Signing, name: str) -> None:
    """Make a key pair of somebody, for ssh and without a password."""
    key = str(signing.keys / name)
    process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key])


def allowed(signing: Signing, name: str, options: str = "") -> str:
    """The line of a key in the list of who may sign."""
    return f"{name}@example.com {options} {public(signing, name)}"


def public(signing: Signing, name: str) -> str:
    """The public key of somebody, as one line."""
    return (signing.keys / f"{name}.pub").read_text(encoding="utf-8")


def commit(signing: Signing, files: Mapping[str, str], by: str = "", date: str = "") -> None:
    """Commit files, signed by this person if there is one."""
    for name, content in files.items():
        path = signing.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    git.git("add", "--all", cwd=signing.project)
    words = ["commit", "--quiet", "--message", "A drill"]
    if by:
        key = signing.keys / by
        how = ("gpg.format=ssh", "gpg.ssh.program=ssh-keygen", f"user.signingkey={key}")
        words = [word for setting in how for word in ("-c", setting)] + [*words, "-S"]
    moment = {"GIT_COMMITTER_DATE": date} if date else {}
    git.git(*words, cwd=signing.project, env={**_PERSON, **moment})


def protect(signing: Signing, files: dict[str, str]) -> None:
    """Commit files on the protected branch."""
    git.git("checkout", "--quiet", "main", cwd=signing.project)
    commit(signing, files)
    git.git("checkout", "--quiet", "work", cwd=signing.project)


def _unsigned(signing: Signing) -> Signing:
    commit(signing, {signing.path: signing.changed})
    return signing


def _by_a_stranger(signing: Signing) -> Signing:
    commit(signing, {signing.path: signing.changed}, by="mallory")
    return signing


def _own_key(signing: Signing) -> Signing:
    commit(signing, {SIGNERS: allowed(signing, "mallory")})
    return _by_a_stranger(signing)


def _own_branch(signing: Signing) -> Signing:
    return replace(_own_key(signing), ref="work")


def _own_commit(signing: Signing) -> Signing:
    return replace(_own_key(signing), ref="HEAD~1")


def _removed(signing: Signing) -> Signing:
    protect(signing, {SIGNERS: allowed(signing, "mallory")})
    return signing


def _expired(signing: Signing) -> Signing:
    protect(signing, {SIGNERS: allowed(signing, "anna", 'valid-before="20210101"')})
    commit(signing, {signing.path: signing.changed}, by="anna", date=_LONG_AGO)
    return signing


def _revoked(signing: Signing) -> Signing:
    protect(signing, {REVOKED: public(signing, "anna")})
    return signing


def _liar(signing: Signing) -> Signing:
    program = signing.keys / "liar"
    program.write_text(_LIAR, encoding="utf-8")
    program.chmod(0o755)
    git.git("config", "gpg.ssh.program", str(program), cwd=signing.project)
    return _by_a_stranger(signing)
