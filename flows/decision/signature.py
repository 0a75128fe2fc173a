"""Who signed a commit, of those whom the protected branch allows.

    overrides/allowed_signers    who may, as ssh-keygen has it
    overrides/revoked_signers    public keys for ssh that may no longer, one a line
    overrides/keys.asc           who may, as armoured OpenPGP keys, with their revocations

Git verifies the signature, in a repository made for it that has the objects of the project and
nothing else: no configuration of the caller, of the project or of the machine is read, and the
programs are those of the system.
"""

import contextlib
import datetime
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.adapters import process
from flows.adapters.git import git
from flows.project import protected_branch
from sluice.errors import SluiceError

SIGNERS, KEYS = "overrides/allowed_signers", "overrides/keys.asc"
REVOKED = "overrides/revoked_signers"
# What git calls a good signature by a key that is trusted. "U" is a good one by a key that nobody
# allowed (ssh) or trusts (OpenPGP); "X", "Y", "R" are expired or revoked, "B" bad, "E" unchecked.
_GOOD = "G"
# Where a system has its programs. The caller's PATH could name others.
_PLACES = ("/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin", "/run/current-system/sw/bin")
_SSH_KEY = "SHA256:"  # how the fingerprint of a key for ssh begins
_SHA256 = 64  # hexadecimal digits of a commit in a repository of that format
_ALONE = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "0",
}


@dataclass(frozen=True)
class Allowed:
    """Who may sign: the texts of the three files, each empty where there is none."""

    signers: str
    revoked: str
    keys: str


def allowed(project: Path, commit: str) -> Allowed:
    """Who may sign, as a commit of the protected branch has it."""
    return Allowed(
        signers=protected_branch.text(project, commit, SIGNERS),
        revoked=protected_branch.text(project, commit, REVOKED),
        keys=protected_branch.text(project, commit, KEYS),
    )


def signer(project: Path, commit: str, who: Allowed, today: datetime.date) -> str:
    """Who signed a commit of the project, of those who may; empty if none of them did.

    A key counts where it is valid on the day of its signature, as git has it, and today too: who
    signs names the day of the signature.
    """
    objects = protected_branch.ask(project, "rev-parse", "--git-path", "objects").strip()
    return signer_in(project / objects, commit, who, today)


def signer_in(objects: Path, commit: str, who: Allowed, today: datetime.date) -> str:
    """The same of a commit among these objects of a repository."""
    with tempfile.TemporaryDirectory(prefix="signers-") as name:
        folder = Path(name)
        files = _written(folder, who)
        alone = _repository(folder, objects, commit)
        with _keyring(folder, who.keys) as environment:
            said = git.git(
                *_programs(),
                *("-c", f"gpg.ssh.allowedSignersFile={files.signers}"),
                *("-c", f"gpg.ssh.revocationFile={files.revoked}"),
                *("log", "--no-walk", "--format=%G?%x00%GS%x00%GF", commit),
                cwd=alone,
                env={**_ALONE, **environment},
            )
        state, name, key = (*said.strip("\n").split("\0"), "", "", "")[:3]
        if state != _GOOD:
            return ""
        if key.startswith(_SSH_KEY) and name not in _valid(folder, alone, commit, today):
            return ""
        return name


@dataclass(frozen=True)
class _Files:
    signers: Path
    revoked: Path


def _written(folder: Path, who: Allowed) -> _Files:
    files = _Files(folder / "signers", folder / "revoked")
    files.signers.write_text(who.signers, encoding="utf-8")
    files.revoked.write_text(who.revoked, encoding="utf-8")
    return files


def _repository(folder: Path, objects: Path, commit: str) -> Path:
    """An empty repository that sees these objects."""
    repository = folder / "repository"
    kind = "sha256" if len(commit) == _SHA256 else "sha1"
    words = ("init", "--quiet", "--template=", f"--object-format={kind}", repository)
    git.git(*words, env=_ALONE)
    alternates = repository / ".git" / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(f"{objects}\n", encoding="utf-8")
    return repository


def _programs() -> tuple[str, ...]:
    """The options that fix what git verifies with; what is not named verifies nothing."""
    gpg = _program("gpg") or os.devnull
    return (
        *("-c", f"gpg.ssh.program={_program('ssh-keygen') or os.devnull}"),
        *("-c", f"gpg.program={gpg}"),
        *("-c", f"gpg.openpgp.program={gpg}"),
        *("-c", f"gpg.x509.program={os.devnull}"),
        *("-c", "gpg.minTrustLevel=undefined"),
    )


def _program(name: str) -> str:
    """The path of a program of the system; empty where it has none."""
    return shutil.which(name, path=os.pathsep.join(_PLACES)) or ""


def _required(name: str) -> str:
    path = _program(name)
    if not path:
        raise SluiceError(f"{name} is in none of {', '.join(_PLACES)}", f"Install {name} there.")
    return path


@contextlib.contextmanager
def _keyring(folder: Path, keys: str) -> Iterator[Mapping[str, str]]:
    """The environment in which git asks a keyring of these keys alone.

    Every key in it is one that the protected branch allows, so all of them are trusted.
    """
    environment = {"GNUPGHOME": str(folder)}
    if not keys:
        yield environment
        return
    (folder / "gpg.conf").write_text("trust-model always\n", encoding="utf-8")
    gpg = [_required("gpg"), "--batch", "--quiet", "--import"]
    process.run(gpg, stdin=keys, env=environment)
    try:
        yield environment
    finally:
        # gpg leaves an agent behind, which would hold the folder.
        with contextlib.suppress(process.CommandFailed):
            process.run([_required("gpgconf"), "--kill", "all"], env=environment)


def _valid(folder: Path, repository: Path, commit: str, today: datetime.date) -> list[str]:
    """Those whose key for ssh made the signature of this commit and is valid on a day."""
    file = folder / "signature"
    file.write_text(_signature(git.git("cat-file", "commit", commit, cwd=repository, env=_ALONE)))
    program, signers = _required("ssh-keygen"), folder / "signers"
    moment = f"-Overify-time={today:%Y%m%d}235959"
    found = process.run(
        [program, "-Y", "find-principals", "-s", str(file), "-f", str(signers), moment],
        check=False,
    )
    return found.stdout.splitlines()


def _signature(content: str) -> str:
    """The armoured signature in the header of a commit."""
    lines: list[str] = []
    within = False
    for line in content.partition("\n\n")[0].split("\n"):
        if line.startswith("gpgsig"):
            within = True
            lines.append(line.partition(" ")[2])
        elif within and line.startswith(" "):
            lines.append(line[1:])
        else:
            within = False
    return "\n".join(lines) + "\n"
