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
from pathlib import Path

from msgspec import structs

from flows.adapters import process
from flows.adapters.git import git
from flows.decision import protected_base
from flows.engine.request import Request
from sluice.errors import Refused, UsageError
from sluice.gate.rules import MAY_BE_WAIVED, NEVER_WAIVED
from sluice.gitops.state import Override

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
        folder = Path(name)
        (folder / "signers").write_text(
            protected_base.text(project, base, SIGNERS), encoding="utf-8"
        )
        keys = protected_base.text(project, base, KEYS)
        environment = {"GNUPGHOME": name}
        if keys:  # a keyring of its own: every key in it is one that the base allows
            (folder / "gpg.conf").write_text("trust-model always\n", encoding="utf-8")
            process.run(["gpg", "--batch", "--quiet", "--import"], stdin=keys, env=environment)
        config = ("-c", f"gpg.ssh.allowedSignersFile={folder / 'signers'}")
        told = git.git(
            *config, "log", "-1", "--format=%G?%n%GS", commit, cwd=project, env=environment
        ).splitlines()
        if keys:
            with contextlib.suppress(process.CommandFailed):
                process.run(["gpgconf", "--kill", "all"], env=environment)
    state, signer = (*told, "", "")[:2]
    return signer if state == "G" else ""


def _read(path: str, text: str, candidate: str, today: datetime.date) -> Override:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}", "Correct the line it names.") from None
    missing = [key for key in ("candidate", "rule", "reason", "expires") if not raw.get(key)]
    if missing or raw["candidate"] != candidate:
        what = f"lacks {', '.join(missing)}" if missing else f"names candidate {raw['candidate']!r}"
        raise UsageError(
            f"{path} {what}", f"It needs candidate = {candidate!r}, rule, reason and expires."
        )
    if raw["rule"] in NEVER_WAIVED:
        raise UsageError(
            f"{path}: rule {raw['rule']!r} can never be waived",
            f"Nor can {', '.join(NEVER_WAIVED)}.",
        )
    if raw["rule"] not in MAY_BE_WAIVED:
        raise UsageError(
            f"{path}: there is no rule {raw['rule']!r}", f"Write one of {', '.join(MAY_BE_WAIVED)}."
        )
    expires = raw["expires"]
    # a datetime is a date, and cannot be compared to one
    if type(expires) is not datetime.date or expires < today:
        raise UsageError(
            f"{path}: expires is {expires}", "Write a date that has not passed, such as 2027-01-31."
        )
    reason = " ".join(str(raw["reason"]).split())
    return Override(str(raw["rule"]), reason, expires.isoformat())
