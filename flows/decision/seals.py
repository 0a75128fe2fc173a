"""Seals: every input of a decision by its hash, compared again before anything is built."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flows.decision import told
from flows.engine.code_identity import code_of, lock
from flows.facts.step_files import (
    CASE,
    FORECAST,
    HOLDOUT_ROWS,
    METRICS,
    MODEL,
    SCORES,
    STANDING,
    TRAIN_ROWS,
    VERDICT,
)
from sluice.errors import Refused, cause
from sluice.gitops.evidence import read_evidence
from sluice.identity import file_sha256, folder_hash, sha256, value_hash
from sluice.model.json_file import parse_json

if TYPE_CHECKING:
    from flows.engine.phases import Decision
    from sluice.policy import Policy

# Whose code decides, with all that it imports of ours.
RULES = ("sluice.gate.decide", "sluice.gate.rules")
CLASS_RULES = ("sluice.gate.classes.decide", "sluice.gate.classes.rules")
NUMBER_RULES = ("sluice.gate.number.decide", "sluice.gate.number.rules")
AGAIN = "Run the release again with --no-cache: what it decides anew is sealed anew."


def sealed(decision: "Decision") -> dict[str, str]:
    """Every input of the decision, hashed from the bytes that lie there now."""
    request, case = decision.request, decision.case
    split = decision.candidate.split.folder
    standing = parse_json((decision.decided.folder / STANDING).read_bytes(), STANDING)
    return {
        "data": request.data.sha256,
        "contract": request.contract_sha256,
        "policy": request.policy_sha256,
        "training rows": file_sha256(split / TRAIN_ROWS),
        "holdout rows": file_sha256(split / HOLDOUT_ROWS),
        "candidate": folder_hash(decision.candidate.trained.folder / MODEL),
        "champion": case.champion.model if case.champion else "none",
        "anchor": case.anchor.model if case.anchor else "none",
        "ledger": value_hash(standing),
        "replay": _of_file(decision.replayed.folder / FORECAST),
        **told.seals(decision),
        "code": code_of(*_rules(request.policy)),
        "lock": lock(),
    }


def _rules(policy: "Policy") -> tuple[str, ...]:
    """Whose code decides under a policy."""
    if policy.number:
        return (*RULES, *NUMBER_RULES)
    return (*RULES, *(CLASS_RULES if policy.classes else ()))


def _of_file(path: Path) -> str:
    """The hash of a file that need not be there."""
    return file_sha256(path) if path.is_file() else "none"


def compare(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise Refused naming every input that is not what it was when it was decided."""
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        raise Refused(
            f"not what was decided on: {', '.join(changed)} changed since the verdict", AGAIN
        )


def check_file(folder: Path, policy_text: str) -> None:
    """Check a metrics.json against the seals in the evidence.json beside it.

    Without an evidence.json there is nothing to check. Raises Refused where it has no seals, or
    where a file is not the one that was sealed.
    """
    path = folder / "evidence.json"
    if not path.is_file():
        return
    before = _seals_in(path)
    files = {
        "metrics": METRICS,
        "case": CASE,
        "scores": SCORES,
        "verdict": VERDICT,
    }
    now = {
        name: file_sha256(folder / file)
        for name, file in files.items()
        if (folder / file).is_file()
    }
    compare(before, {**now, "policy": sha256(policy_text.encode())})


def _seals_in(path: Path) -> dict[str, str]:
    """The seals of an evidence.json, by name."""
    try:
        seals = read_evidence(path.read_bytes()).seals
    except (OSError, ValueError) as error:
        raise Refused(
            f"{path} holds no seals to check the metrics against: {cause(error)}", AGAIN
        ) from None
    if seals is None:
        raise Refused(f"{path} holds no seals to check the metrics against", AGAIN)
    return seals
