"""Seals: every input of a decision by its hash, checked again before anything is built or
promoted.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.project.settings import ROOT
from flows.steps.gate import decide_folder
from sluice.errors import Refused
from sluice.identity import canonical, code_hash, file_sha256, folder_hash, sha256, value_hash
from sluice.model.conversion import TOLERANCE
from sluice.model.table import from_parquet
from sluice.served.scoring import load_model

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

_AGAIN = "Run the release again with --no-cache: what it decides anew is sealed anew."


def sealed(run: "Run", done: "Done") -> dict[str, str]:
    """Every input of the decision, hashed from the bytes that lie there now."""
    score, gate, split = (done[step].folder for step in ("score", "gate", "split"))
    return {
        "data": run.data.sha256,
        "contract": sha256(run.contract_text.encode()),
        "policy": sha256(run.policy_text.encode()),
        "training rows": file_sha256(split / "train.parquet"),
        "holdout rows": file_sha256(split / "holdout.parquet"),
        "candidate": folder_hash(done["train"].folder / "model"),
        "champion": str(run.against.get("model", "none")),
        "anchor": str(run.anchor.get("model", "none")),
        "scores": file_sha256(score / "scores.parquet"),
        "case": file_sha256(score / "case.json"),
        "metrics": file_sha256(score / "metrics.json"),
        "ledger": value_hash(json.loads((gate / "standing.json").read_text(encoding="utf-8"))),
        "verdict": file_sha256(gate / "verdict.json"),
        "code": code_hash(ROOT, ["sluice.gate.decide", "sluice.gate.rules"]),
        "lock": file_sha256(ROOT / "uv.lock"),
    }


def check(run: "Run", done: "Done") -> None:
    """Compare the seals, score the candidate anew and decide anew; raise Refused naming what
    changed.
    """
    _untouched(done)
    evidence = json.loads((done["evidence"].folder / "evidence.json").read_text(encoding="utf-8"))
    compare(evidence.get("seals", {}), sealed(run, done))
    _rescore(run, done)
    verdict = decide_folder(done["score"].folder, run.policy.gate, run.standing).document()
    written = json.loads((done["gate"].folder / "verdict.json").read_text(encoding="utf-8"))
    if canonical(json.loads(json.dumps(verdict))) != canonical(written):
        raise Refused(f"decided anew it is {verdict['verdict']}: {verdict['sentence']}", _AGAIN)


def _untouched(done: "Done") -> None:
    """Every file is as its step wrote it. First of all: what was changed may not even be read."""
    for step in ("split", "train", "score", "gate", "evidence"):
        changed = [
            name
            for name, wanted in done[step].outputs.items()
            if file_sha256(done[step].folder / name) != wanted
        ]
        if changed:
            raise Refused(f"{', '.join(changed)} changed after {step} wrote it", _AGAIN)


def compare(before: Mapping[str, Any], now: Mapping[str, str]) -> None:
    """Raise Refused naming every input that is not what it was when it was decided."""
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        raise Refused(
            f"not what was decided on: {', '.join(changed)} changed since the verdict", _AGAIN
        )


def _rescore(run: "Run", done: "Done") -> None:
    """The scores that were judged are those of the model that ships, on the rows that were kept
    aside.
    """
    table = from_parquet((done["score"].folder / "scores.parquet").read_bytes())
    holdout = from_parquet((done["split"].folder / "holdout.parquet").read_bytes())
    rows = np.isin(holdout["row_hash"], table["row_hash"])
    model = load_model(done["train"].folder / "model")
    scores = model.score({name: values[rows] for name, values in holdout.items()})
    same = (
        len(scores) == len(table["candidate"])
        and float(np.abs(scores - table["candidate"]).max()) <= TOLERANCE
    )
    if not same or not np.array_equal(holdout[run.contract.target.column][rows], table["label"]):
        raise Refused(
            "the scores that were judged are not those of this model on these rows", _AGAIN
        )


def check_file(folder: Path, policy_text: str) -> None:
    """Check the seals that a metrics.json on its own can be held to: those of evidence.json beside
    it.
    """
    path = folder / "evidence.json"
    if not path.is_file():
        return
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8"))["seals"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"{path} holds no seals to check the metrics against: {error!r}", _AGAIN
        ) from None
    files = {
        "metrics": "metrics.json",
        "case": "case.json",
        "scores": "scores.parquet",
        "verdict": "verdict.json",
    }
    now = {
        name: file_sha256(folder / file)
        for name, file in files.items()
        if (folder / file).is_file()
    }
    compare(before, {**now, "policy": sha256(policy_text.encode())})
