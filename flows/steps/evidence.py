"""After the verdict: the pictures, the drift against the champion, and the page that a person
reads.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.adapters.drift import drift
from flows.adapters.failpoints import boundary
from flows.decision.provenance import gather
from flows.decision.seals import sealed
from flows.engine.store import write_atomic
from flows.evidence.page import draw, render, summary_markdown
from flows.project.settings import ROOT
from sluice.identity import folder_hash, sha256
from sluice.model.diagnostics import (
    curve_points,
    learning_curve,
    permutation_importance,
    protected_cost,
)
from sluice.model.metrics import measure
from sluice.model.model_artifact import group_order
from sluice.model.table import from_parquet
from sluice.model.training import fit
from sluice.served.contract import Contract
from sluice.served.encoding import encode, numeric_features
from sluice.served.scoring import load_model
from sluice.served.statements import statements

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "evidence", "Write evidence"
_SHARES = (0.1, 0.25, 0.5, 1.0)


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """Everything the page shows."""
    return {
        "report": done["validate"].hash("report.json"),
        "data": run.data.sha256,
        "tuning": done["tune"].hash("tuning.json"),
        "candidate": str(done["train"].facts["model"]),
        "scores": done["score"].hash("scores.parquet"),
        "verdict": done["gate"].hash("verdict.json"),
        "champion": str(run.against.get("model", "none")),
        "anchor": str(run.anchor.get("model", "none")),
        "standing": done["gate"].hash("standing.json"),
        "case": done["score"].hash("case.json"),
        "contract": sha256(run.contract_text.encode()),
        "policy": sha256(run.policy_text.encode()),
        "page": folder_hash(ROOT / "flows" / "views" / "templates"),
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Write evidence.json, evidence.html, summary.md and, where there is a champion, drift.html."""
    wanted = {"metrics": "score", "verdict": "gate", "tuning": "tune", "report": "validate"}
    read = {
        name: json.loads((done[step].folder / f"{name}.json").read_text(encoding="utf-8"))
        for name, step in wanted.items()
    }
    target = run.contract.target
    read["metrics"]["segments"] = _listed(run.contract, read["metrics"]["segments"])
    evidence: dict[str, Any] = {
        "model": run.model,
        "title": run.contract.title,
        "text": run.contract.text,
        "words": {
            "positive": target.positive,
            "negative": target.negative,
            "rows": run.contract.rows,
        },
        "verdict": read["verdict"],
        "metrics": read["metrics"],
        "tuning": read["tuning"],
        "data": _data(run, done, read["report"]),
        "lineage": _lineage(run, done),
        "provenance": gather(run, done),
        "seals": sealed(run, done),
        "statements": statements(run.contract),
        "excluded": [column.name for column in run.contract.role("protected")],
        "override": done["gate"].facts.get("override"),
        "policy_changed": done["gate"].facts.get("policy changed"),
        **_diagnostics(run, done, read["tuning"]["winner"], folder),
    }
    (folder / "evidence.json").write_text(
        json.dumps(evidence, indent=1, sort_keys=True), encoding="utf-8"
    )
    pictures = draw(evidence)
    (folder / "pictures").mkdir()
    for name, picture in pictures.items():
        (folder / "pictures" / f"{name}.svg").write_text(picture, encoding="utf-8")
    (folder / "evidence.html").write_text(render(evidence, pictures), encoding="utf-8")
    (folder / "summary.md").write_text(summary_markdown(evidence), encoding="utf-8")
    return {
        "drift": evidence["drift"]["verdict"]
        if evidence.get("drift")
        else "no champion to compare with"
    }


def _listed(contract: Contract, segments: Mapping[str, Any]) -> dict[str, Any]:
    """The groups as people list them, not by the alphabet."""
    order = group_order(contract)
    return {
        name: {group: groups[group] for group in order[name] if group in groups}
        for name, groups in segments.items()
    }


def _data(run: "Run", done: "Done", report: Mapping[str, Any]) -> dict[str, Any]:
    columns = from_parquet((done["validate"].folder / "table.parquet").read_bytes())
    positives = int(columns[run.contract.target.column].sum())
    target = run.contract.target
    return {
        "source": run.data.reference,
        "sha256": run.data.sha256,
        "rows": report["rows"],
        "columns": len(run.contract.columns),
        "classes": {target.positive: positives, target.negative: report["rows"] - positives},
        "checks": {
            "passed": report["checks"] - len(report["findings"]),
            "failed": len(report["findings"]),
        },
        "warnings": [
            {name: finding[name] for name in ("column", "rule", "rows")}
            for finding in report["findings"]
        ],
    }


def _lineage(run: "Run", done: "Done") -> dict[str, str]:
    facts = done["score"]
    return {
        "data": run.data.sha256,
        "training rows": done["split"].hash("train.parquet"),
        "holdout rows": done["split"].hash("holdout.parquet"),
        "model artifact": str(done["train"].facts["model"]),
        "scores": facts.hash("scores.parquet"),
        "metrics": facts.hash("metrics.json"),
        "verdict": done["gate"].hash("verdict.json"),
        "champion": str(run.against.get("tag", "none")),
    }


def _diagnostics(
    run: "Run", done: "Done", winner: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    scores = from_parquet((done["score"].folder / "scores.parquet").read_bytes())
    holdout, train, validation = (
        from_parquet((done["split"].folder / f"{part}.parquet").read_bytes())
        for part in ("holdout", "train", "validation")
    )
    model = load_model(done["train"].folder / "model")
    target, seed = run.contract.target.column, run.policy.search.seed
    labels = scores["label"]
    flagged = float((scores["candidate"] >= model.threshold).mean())
    found: dict[str, Any] = {
        "protected_cost": _protected(run, winner, (train, validation), flagged),
        "diagnostics": {
            "candidate": curve_points(labels, scores["candidate"]),
            "importance": permutation_importance(
                model.score, holdout, labels, run.contract, seed, 3
            ),
            "learning": _learning(run, winner, train, validation, target, seed),
        },
    }
    if run.against:
        champion = load_model(run.folder_of("champion"))
        reference = json.loads(
            (run.folder_of("champion") / "reference.json").read_text(encoding="utf-8")
        )
        found["diagnostics"]["champion"] = curve_points(labels, scores["champion"])
        found["champion_metrics"] = measure(labels, scores["champion"], champion.threshold)
        found["drift"], html = drift(reference, train, run.contract)
        (folder / "drift.html").write_text(html, encoding="utf-8")
    return found


def _learning(
    run: "Run",
    winner: Mapping[str, Any],
    train: Mapping[str, np.ndarray],
    validation: Mapping[str, np.ndarray],
    target: str,
    seed: int,
) -> list[dict[str, Any]]:
    numeric = numeric_features(run.contract)

    def fitted(features: np.ndarray, labels: np.ndarray) -> Any:
        estimator = fit(winner["family"], winner["parameters"], features, labels, numeric)
        return lambda matrix: estimator.predict_proba(matrix)[:, 1]

    matrices = (
        encode(run.contract, train),
        train[target],
        encode(run.contract, validation),
        validation[target],
    )
    return list(learning_curve(fitted, *matrices, _SHARES, seed))


def _protected(
    run: "Run",
    winner: Mapping[str, Any],
    rows: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]],
    share: float,
) -> dict[str, Any] | None:
    if not run.contract.role("protected"):
        return None
    labels = rows[0][run.contract.target.column]

    def fitted(contract: Contract, features: np.ndarray) -> Any:
        estimator = fit(
            winner["family"], winner["parameters"], features, labels, numeric_features(contract)
        )
        return lambda matrix: estimator.predict_proba(matrix)[:, 1]

    return protected_cost(run.contract, fitted, encode, rows, share)


@boundary("evidence.publish")
def publish(run: "Run", done: "Done") -> Path:
    """Lay the newest evidence of the model where people and workflows look; the scores stay on this
    machine.
    """
    folder = run.settings.home / "evidence" / run.model
    files = [path for step in ("evidence", "gate", "score") for path in done[step].folder.iterdir()]
    for path in files:
        if path.is_file() and path.name != "step.json":
            write_atomic(folder / path.name, path.read_bytes())
    if "drift.html" not in {path.name for path in files}:
        (folder / "drift.html").unlink(missing_ok=True)
    return folder / "evidence.html"
