"""After the verdict: the pictures, the drift against the champion, and the page for people."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.adapters.failpoints import boundary
from flows.adapters.files import write_atomic
from flows.decision.provenance import gather
from flows.decision.seals import sealed
from flows.engine.step import Step
from flows.evidence.diagnostics import diagnose
from flows.evidence.page import draw, render, summary_markdown
from flows.facts.evidenced import Evidenced
from flows.project.root import ROOT
from sluice.identity import folder_hash
from sluice.model.model_artifact import group_order
from sluice.model.table import from_parquet
from sluice.served.contract import Contract
from sluice.served.statements import statements

if TYPE_CHECKING:
    from flows.engine.phases import Decision, Report

_RECORD = "step.json"  # the store's own


def _inputs(decision: "Decision") -> dict[str, str]:
    """Everything the page shows."""
    request, case, candidate = decision.request, decision.case, decision.candidate
    return {
        "report": candidate.validated.hash("report.json"),
        "data": request.data.sha256,
        "tuning": candidate.tuned.hash("tuning.json"),
        "candidate": candidate.trained.facts.model,
        "scores": decision.scored.hash("scores.parquet"),
        "verdict": decision.decided.hash("verdict.json"),
        "champion": case.champion.model if case.champion else "none",
        "anchor": case.anchor.model if case.anchor else "none",
        "standing": decision.decided.hash("standing.json"),
        "case": decision.scored.hash("case.json"),
        "contract": request.contract_sha256,
        "policy": request.policy_sha256,
        "page": folder_hash(ROOT / "flows" / "views" / "templates"),
    }


def _work(folder: Path, decision: "Decision") -> Evidenced:
    """Write evidence.json, evidence.html, summary.md, pictures and, for a champion, drift.html."""
    evidence = _evidence(decision, folder)
    text = json.dumps(evidence, indent=1, sort_keys=True)
    (folder / "evidence.json").write_text(text, encoding="utf-8")
    pictures = draw(evidence)
    (folder / "pictures").mkdir()
    for name, picture in pictures.items():
        (folder / "pictures" / f"{name}.svg").write_text(picture, encoding="utf-8")
    (folder / "evidence.html").write_text(render(evidence, pictures), encoding="utf-8")
    (folder / "summary.md").write_text(summary_markdown(evidence), encoding="utf-8")
    drift = evidence.get("drift")
    return Evidenced(drift["verdict"] if drift else "no champion to compare with")


EVIDENCE = Step(
    "evidence",
    "Write evidence",
    Evidenced,
    ("evidence.json", "evidence.html", "summary.md", "pictures/", "drift.html"),
    _inputs,
    _work,
)


def _evidence(decision: "Decision", folder: Path) -> dict[str, Any]:
    request, candidate, decided = decision.request, decision.candidate, decision.decided.facts
    contract = request.contract
    metrics = decision.scored.document("metrics.json")
    metrics["segments"] = _listed(contract, metrics["segments"])
    return {
        "model": request.model,
        "title": contract.title,
        "text": contract.text,
        "words": {
            "positive": contract.target.positive,
            "negative": contract.target.negative,
            "rows": contract.rows,
        },
        "verdict": decision.decided.document("verdict.json"),
        "metrics": metrics,
        "tuning": candidate.tuned.document("tuning.json"),
        "data": _data(decision),
        "lineage": _lineage(decision),
        "provenance": gather(candidate),
        "seals": sealed(decision),
        "statements": statements(contract),
        "excluded": [column.name for column in contract.role("protected")],
        "override": decided.override or None,
        "policy_changed": decided.policy_changed or None,
        **diagnose(decision, folder),
    }


def _listed(contract: Contract, segments: Mapping[str, Any]) -> dict[str, Any]:
    """The groups as people list them, not by the alphabet."""
    order = group_order(contract)
    return {
        name: {group: groups[group] for group in order[name] if group in groups}
        for name, groups in segments.items()
    }


def _data(decision: "Decision") -> dict[str, Any]:
    request, validated = decision.request, decision.candidate.validated
    report = validated.document("report.json")
    columns = from_parquet(validated.read("table.parquet"))
    target = request.contract.target
    positives = int(columns[target.column].sum())
    failed = len(report["findings"])
    warnings = [
        {name: finding[name] for name in ("column", "rule", "rows")}
        for finding in report["findings"]
    ]
    return {
        "source": request.data.reference,
        "sha256": request.data.sha256,
        "rows": report["rows"],
        "columns": len(request.contract.columns),
        "classes": {target.positive: positives, target.negative: report["rows"] - positives},
        "checks": {"passed": report["checks"] - failed, "failed": failed},
        "warnings": warnings,
    }


def _lineage(decision: "Decision") -> dict[str, str]:
    candidate, scored = decision.candidate, decision.scored
    champion = decision.case.champion
    return {
        "data": decision.request.data.sha256,
        "training rows": candidate.split.hash("train.parquet"),
        "holdout rows": candidate.split.hash("holdout.parquet"),
        "model artifact": candidate.trained.facts.model,
        "scores": scored.hash("scores.parquet"),
        "metrics": scored.hash("metrics.json"),
        "verdict": decision.decided.hash("verdict.json"),
        "champion": champion.tag if champion else "none",
    }


@boundary("evidence.publish")
def publish(report: "Report") -> Path:
    """Lay the newest evidence where people and workflows look; the scores stay on this machine."""
    folder = report.request.settings.home / "evidence" / report.request.model
    results = (report.evidence, report.decision.decided, report.decision.scored)
    files = [path for result in results for path in result.folder.iterdir() if path.is_file()]
    for path in files:
        if path.name != _RECORD:
            write_atomic(folder / path.name, path.read_bytes())
    if "drift.html" not in {path.name for path in files}:
        (folder / "drift.html").unlink(missing_ok=True)
    return folder / "evidence.html"
