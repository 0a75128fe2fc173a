"""Overrides: a signed file in git that waives one rule for one candidate, until a day.

    overrides/attrition/<candidate tag>.toml      candidate, rule, reason, expires (a date)
    overrides/allowed_signers                     as ssh-keygen has it, read from the protected base commit

The signature is that of the commit that last changed the file, verified by git itself. The signers never come from the
tree of the change that is judged: who could change them could allow anybody.
"""

import datetime
import os
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from flows.adapters import git
from sluice.errors import UsageError

SIGNERS = "overrides/allowed_signers"
NEVER = ("finite", "not_constant", "signal", "no_training_rows", "no_duplicates", "no_leak", "more_than_one_column",
         "metrics_match", "comparable", "split_changed", "ledger")  # fmt: skip


@dataclass(frozen=True)
class Override:
    """One rule waived for one candidate: who signed, why, until when."""

    candidate: str
    rule: str
    reason: str
    expires: str
    commit: str
    signer: str

    def document(self) -> dict[str, str]:
        """As JSON-able values."""
        return asdict(self)


def find(project: Path, model: str, candidate: str, today: datetime.date) -> Override | None:
    """The override of a candidate, verified; None where there is no file. Raises UsageError where it does not hold."""
    path = f"overrides/{model}/{candidate}.toml"
    if not (project / path).is_file():
        return None
    base = protected_base(project)
    commit, signer = _signed(project, path, base)
    fields = _read(path, git.git("show", f"{commit}:{path}", cwd=project), candidate, today)
    return Override(candidate, fields["rule"], fields["reason"], fields["expires"], commit, signer)


def protected_base(project: Path) -> str:
    """The merge base with SLUICE_PROTECTED_REF, or with the default branch of origin. Raises UsageError without one."""
    ref = os.environ.get("SLUICE_PROTECTED_REF") or "refs/remotes/origin/HEAD"
    found = git.git("merge-base", "HEAD", ref, cwd=project, check=False).strip()
    if not found:
        raise UsageError(
            f"an override needs a protected branch, and {ref} is none of this repository",
            "Set SLUICE_PROTECTED_REF to the branch that is reviewed, or remove the override.",
        )
    return found


def _signed(project: Path, path: str, base: str) -> tuple[str, str]:
    """The commit that last changed the file, and who signed it."""
    dirty = git.git("status", "--porcelain", "--", path, cwd=project).strip()
    commit = git.git("log", "-1", "--format=%H", "--", path, cwd=project).strip()
    if dirty or not commit:
        raise UsageError(f"{path} is not committed as it stands", "Commit it with a signature: git commit -S.")
    signers = git.git("show", f"{base}:{SIGNERS}", cwd=project, check=False)
    with tempfile.NamedTemporaryFile("w", prefix="signers-", encoding="utf-8") as allowed:
        allowed.write(signers)
        allowed.flush()
        config = ("-c", f"gpg.ssh.allowedSignersFile={allowed.name}")
        told = git.git(*config, "log", "-1", "--format=%G?%n%GS", commit, cwd=project).splitlines()
    state, signer = (*told, "", "")[:2]
    if state != "G":
        raise UsageError(
            f"{path}: commit {commit[:12]} has no good signature by anybody in {SIGNERS} of base {base[:12]}",
            "Have one of them sign it, or have the signer added to the protected branch first.",
        )
    return commit, signer


def _read(path: str, text: str, candidate: str, today: datetime.date) -> dict[str, str]:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}", "Correct the line it names.") from None
    missing = [key for key in ("candidate", "rule", "reason", "expires") if not raw.get(key)]
    if missing or raw["candidate"] != candidate:
        what = f"lacks {', '.join(missing)}" if missing else f"names candidate {raw['candidate']!r}"
        raise UsageError(f"{path} {what}", f"It needs candidate = {candidate!r}, rule, reason and expires.")
    if raw["rule"] in NEVER:
        raise UsageError(f"{path}: rule {raw['rule']!r} can never be waived", f"Nor can {', '.join(NEVER)}.")
    expires = raw["expires"]
    if not isinstance(expires, datetime.date) or expires < today:
        raise UsageError(f"{path}: expires is {expires}", "Write a date that has not passed, such as 2027-01-31.")
    return {"rule": str(raw["rule"]), "reason": str(raw["reason"]), "expires": expires.isoformat()}
