"""What MLflow is told of a release: parameters, metrics, trials, pictures, the model; no row."""

from pathlib import Path
from typing import Any

from flows.adapters import tracking
from flows.adapters.failpoints import boundary
from flows.engine.phases import Report

_RECORD = "step.json"  # the store's own


@boundary("tracking.log")
def log(report: Report, promoted: bool) -> str:
    """Log the release after its verdict; a sentence says where it is, or why it is not yet."""
    settings = report.request.settings
    pending = settings.home / "tracking"
    tracking.log_pending(settings.tracking, pending)
    files: dict[str, Path | bytes] = {
        path.name: path for path in sorted(report.evidence.folder.iterdir()) if path.name != _RECORD
    }
    files["model"] = report.candidate.trained.folder / "model"
    record = _record(report, promoted)
    return tracking.log_release(settings.tracking, record, files, pending).sentence


def _record(report: Report, promoted: bool) -> dict[str, Any]:
    metrics = report.decision.scored.document("metrics.json")
    tuning = report.candidate.tuned.document("tuning.json")
    winner = report.candidate.tuned.facts
    validation = {f"validation_{name}": value for name, value in metrics["validation"].items()}
    tags = {
        "verdict": report.decided.verdict,
        "sentence": report.decided.sentence,
        "data": report.request.data.sha256,
        "model": report.candidate.trained.facts.model,
    }
    return {
        "key": report.decision.decided.key,
        "model": report.request.model,
        "name": report.candidate.tag,
        "params": {
            "family": winner.winner,
            **winner.parameters,
            "threshold": metrics["threshold"],
        },
        "metrics": {**metrics["holdout"], **validation},
        "tags": tags,
        "trials": tuning["trials"],
        "aliases": ["candidate", "champion"] if promoted else ["candidate"],
    }
