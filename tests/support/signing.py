"""Keys that are made anew, and commits that are signed with them: shared by the tests of overrides
and of the anchor.
"""

import os
import subprocess
from pathlib import Path

from flows.decision.signature import SIGNERS
from support import releases

IDENTITY = {
    "GIT_AUTHOR_NAME": "x",
    "GIT_AUTHOR_EMAIL": "x@example.com",
    "GIT_COMMITTER_NAME": "x",
    "GIT_COMMITTER_EMAIL": "x@example.com",
}


def git(project: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=project, check=True, capture_output=True, text=True
    ).stdout


def key(folder: Path, name: str) -> Path:
    """A key pair for ssh, made anew."""
    path = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True
    )
    return path


def signer(name: str, path: Path, options: str = "") -> str:
    """The line of a key in `allowed_signers`."""
    return f"{name}@example.com {options} {path.with_suffix('.pub').read_text()}"


def commit(project: Path, content: str, sign: Path | None, path: str) -> None:
    """Write a file and commit it, signed by this key for ssh."""
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(content)
    git(project, "add", "--all")
    how = ["commit"]
    if sign:
        how = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={sign}", "commit", "-S"]
    git(project, *how, "--quiet", "--message", "Set it aside")


def protect(project: Path, content: str, path: str = SIGNERS) -> None:
    """Commit a file on the protected branch; the work beside it stays where it is."""
    git(project, "checkout", "--quiet", "main")
    commit(project, content, None, path)
    git(project, "checkout", "--quiet", "work")


def project_of(anna: Path, folder: Path) -> Path:
    """A project under git; its protected branch allows Anna, and work goes on beside it."""
    project = releases.write(folder)
    os.environ |= {
        **IDENTITY,
        "SLUICE_PROTECTED_REF": "main",
        "SLUICE_PROJECT": str(project),
    }
    git(project, "init", "--quiet", "--initial-branch", "main")
    commit(project, signer("anna", anna), None, SIGNERS)
    git(project, "checkout", "--quiet", "-b", "work")
    return project


class Gpg:
    """A keyring of OpenPGP in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        folder.mkdir(mode=0o700)

    def run(self, *words: str, given: str = "") -> str:
        how = ("--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback")
        return subprocess.run(
            ["gpg", *how, *words],
            check=True,
            capture_output=True,
            text=True,
            input=given,
            env={**os.environ, "GNUPGHOME": str(self.home)},
        ).stdout

    def make(self, who: str) -> None:
        """A key that was made long ago and does not expire."""
        made = ("--faked-system-time", "20200101T000000!")
        self.run(*made, "--quick-generate-key", who, "ed25519", "sign", "never")

    def fingerprint(self, who: str) -> str:
        lines = self.run("--with-colons", "--list-keys", who).splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))

    def public(self, who: str) -> str:
        return self.run("--armor", "--export", who)

    def expire(self, who: str) -> None:
        """Let the key have expired long ago."""
        later = ("--faked-system-time", "20200102T000000!")
        self.run(*later, "--quick-set-expire", self.fingerprint(who), "5d")

    def revoke(self, who: str) -> None:
        """Take the key back, by the revocation that was made with it."""
        fingerprint = self.fingerprint(who)
        written = self.home / "openpgp-revocs.d" / f"{fingerprint}.rev"
        # The colon before the dashes keeps a revocation from being taken by mistake.
        self.run("--import", given=written.read_text().replace(":-----BEGIN", "-----BEGIN"))

    def commit(self, project: Path, who: str, content: str, path: str) -> None:
        commit(project, content, None, path)
        subprocess.run(
            [
                *("git", "-c", "gpg.format=openpgp", "-c", f"user.signingkey={who}"),
                *("commit", "-S", "--amend", "--no-edit", "--quiet"),
            ],
            cwd=project,
            check=True,
            env={**os.environ, "GNUPGHOME": str(self.home)},
        )

    def end(self) -> None:
        """End the agent, which would hold the folder."""
        environment = {**os.environ, "GNUPGHOME": str(self.home)}
        subprocess.run(["gpgconf", "--kill", "all"], check=True, env=environment)
