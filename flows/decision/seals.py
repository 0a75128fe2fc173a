"""Seals: every input of a decision by its hash, checked again before anything is built."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from flows.decision.decide import decide_folder
from flows.decision.scores_file import read_scores
from flows.engine.code_identity import code_of, lock
from flows.facts.step_files import (
    CASE,
    HOLDOUT_ROWS,
    METRICS,
    MODEL,
    SCORES,
    STANDING,
    TRAIN_ROWS,
    VERDICT,
)
from sluice.errors import Refused
from sluice.gitops.evidence import read_evidence
from sluice.identity import canonical, file_sha256, folder_hash, sha256, value_hash
from sluice.model.conversion import TOLERANCE
from sluice.model.split import HASH
from sluice.model.table import from_parquet
from sluice.served.scoring import load_model

if TYPE_CHECKING:
    from flows.engine.phases import Decision, Report
    from flows.engine.store import Result

# Whose code decides, with all that it imports of ours.
RULES = ("sluice.gate.decide", "sluice.gate.rules")
_AGAIN = "Run the release again with --no-cache: what it decides anew is sealed anew."


def sealed(decision: "Decision") -> dict[str, str]:
    """Every input of the decision, hashed from the bytes that lie there now."""
    request, case = decision.request, decision.case
    split, score = decision.candidate.split.folder, decision.scored.folder
    gate = decision.decided.folder
    standing = json.loads((gate / STANDING).read_text(encoding="utf-8"))
    return {
        "data": request.data.sha256,
        "contract": request.contract_sha256,
        "policy": request.policy_sha256,
        "training rows": file_sha256(split / TRAIN_ROWS),
        "holdout rows": file_sha256(split / HOLDOUT_ROWS),
        "candidate": folder_hash(decision.candidate.trained.folder / MODEL),
        "champion": case.champion.model if case.champion else "none",
        "anchor": case.anchor.model if case.anchor else "none",
        "scores": file_sha256(score / SCORES),
        "case": file_sha256(score / CASE),
        "metrics": file_sha256(score / METRICS),
        "ledger": value_hash(standing),
        "verdict": file_sha256(gate / VERDICT),
        "code": code_of(*RULES),
        "lock": lock(),
    }


def check(report: "Report") -> None:
    """Compare the seals, score the candidate anew and decide anew.

    Raises Refused, which names what changed.
    """
    decision = report.decision
    _check_untouched(report)
    evidence = read_evidence(report.evidence.read("evidence.json"))
    compare(evidence.seals or {}, sealed(decision))
    _rescore(decision)
    _decide_again(decision)


def _decide_again(decision: "Decision") -> None:
    """Raise Refused where the same files no longer give the same verdict."""
    request = decision.request
    verdict = decide_folder(
        decision.scored.folder,
        request.policy.gate,
        decision.standing,
        words=request.contract.words,
    )
    now = canonical(msgspec.to_builtins(verdict.document()))
    if now != canonical(decision.decided.document(VERDICT)):
        raise Refused(f"decided anew it is {verdict.verdict}: {verdict.sentence}", _AGAIN)


def _check_untouched(report: "Report") -> None:
    """Every file is as its step wrote it. First of all: what was changed may not even be read."""
    decision = report.decision
    results: tuple[Result[Any], ...] = (
        decision.candidate.split,
        decision.candidate.trained,
        decision.scored,
        decision.decided,
        report.evidence,
    )
    for result in results:
        changed = [
            name
            for name, wanted in result.outputs.items()
            if file_sha256(result.folder / name) != wanted
        ]
        if changed:
            raise Refused(f"{', '.join(changed)} changed after {result.step} wrote it", _AGAIN)


def compare(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise Refused naming every input that is not what it was when it was decided."""
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        raise Refused(
            f"not what was decided on: {', '.join(changed)} changed since the verdict", _AGAIN
        )


def _rescore(decision: "Decision") -> None:
    """The scores that were judged are those of the model that ships, on the rows kept aside."""
    judged = read_scores(decision.scored.read(SCORES))
    holdout = from_parquet(decision.candidate.split.read(HOLDOUT_ROWS))
    rows = np.isin(holdout[HASH], judged.row_hash)
    model = load_model(decision.candidate.trained.folder / MODEL)
    scores = model.score({name: values[rows] for name, values in holdout.items()})
    labels = holdout[decision.request.contract.target.column][rows]
    if not _agree(scores, judged.candidate) or not np.array_equal(labels, judged.labels):
        raise Refused(
            "the scores that were judged are not those of this model on these rows", _AGAIN
        )


def _agree(scores: np.ndarray, judged: np.ndarray) -> bool:
    """Whether two arrays of scores are equal within the tolerance of the conversion."""
    return len(scores) == len(judged) and float(np.abs(scores - judged).max()) <= TOLERANCE


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
            f"{path} holds no seals to check the metrics against: {error}", _AGAIN
        ) from None
    if seals is None:
        raise Refused(f"{path} holds no seals to check the metrics against", _AGAIN)
    return seals
