"""What MLflow is told of a release: parameters, metrics, trials, pictures, the model; no row."""

from pathlib import Path

from msgspec import structs

from flows.adapters import tracking
from flows.adapters.failpoints import boundary
from flows.adapters.tracking import Record
from flows.engine.phases import Report
from flows.facts.step_files import MODEL, RECORD, TUNING
from sluice.model.tuning_file import Tuning


@boundary("tracking.log")
def log(report: Report, promoted: bool) -> str:
    """Log the release after its verdict; a sentence says where it is, or why it is not yet."""
    settings = report.request.settings
    pending = settings.home / "tracking"
    tracking.log_pending(settings.tracking, pending)
    files: dict[str, Path | bytes] = {}
    for path in sorted(report.evidence.folder.iterdir()):
        if path.name != RECORD:
            files[path.name] = path
    files["model"] = report.candidate.trained.folder / MODEL
    record = _record(report, _aliases(promoted=promoted))
    return tracking.log_release(settings.tracking, record, files, pending).sentence


def _aliases(*, promoted: bool) -> tuple[str, ...]:
    if promoted:
        return ("candidate", "champion")
    return ("candidate",)


def _record(report: Report, aliases: tuple[str, ...]) -> Record:
    metrics = report.decision.metrics
    tuning = report.candidate.tuned.parsed(TUNING, Tuning)
    winner = report.candidate.tuned.facts
    holdout = structs.asdict(metrics.holdout)
    validation = structs.asdict(metrics.validation)
    return Record(
        key=report.decision.decided.key,
        model=report.request.model,
        name=report.candidate.tag,
        params={"family": winner.winner, **winner.parameters, "threshold": metrics.threshold},
        metrics={
            **_sorted(holdout),
            **{f"validation_{name}": value for name, value in _sorted(validation).items()},
        },
        tags={
            "verdict": report.decided.verdict,
            "sentence": report.decided.sentence,
            "data": report.request.data.sha256,
            "model": report.candidate.trained.facts.model,
        },
        trials=tuning.trials,
        aliases=aliases,
    )


def _sorted(values: dict[str, float]) -> dict[str, float]:
    """By the alphabet, as metrics.json has them."""
    return dict(sorted(values.items()))
