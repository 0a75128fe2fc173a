"""What MLflow is told of a release: parameters, metrics, trials, pictures, the model; no row."""

from pathlib import Path

from msgspec import structs

from flows.adapters import tracking
from flows.adapters.failpoints import boundary
from flows.adapters.tracking import Record, TrackedData
from flows.decision import told
from flows.engine.outcome import Outcome
from flows.engine.phases import Report
from flows.evidence.page import PAGE
from flows.facts.step_files import MODEL, RECORD, TUNING
from flows.facts.trained import Trained
from flows.project.source_commit import source_commit
from sluice.model.classes.metrics_file import TrainedClassMetrics
from sluice.model.fit.tuning_file import Tuning
from sluice.model.number.metrics_file import TrainedNumberMetrics
from sluice.model.quality.metrics_file import TrainedMetrics

_RELEASED = ("promoted", "nothing to do")
_BY_VERDICT = ("hold", "refused")  # ends that the verdict names better


@boundary("tracking.log")
def log(report: Report, outcome: Outcome) -> str:
    """Log the release after its end; a sentence says where it is, or why it is not yet."""
    settings = report.request.settings
    pending = settings.home / "tracking"
    tracking.log_pending(settings.tracking, pending)
    files: dict[str, Path | bytes] = {}
    for path in sorted(report.evidence.folder.iterdir()):
        if path.name != RECORD:
            files[path.name] = path
    # Head and foot of the page that people have say how the release ended.
    page = settings.home / "evidence" / report.request.model / PAGE
    if page.is_file():
        files[PAGE] = page
    files["model"] = report.candidate.trained.folder / MODEL
    return tracking.log_release(
        settings.tracking, _record(report, outcome), files, pending
    ).sentence


def run_name(outcome: Outcome) -> str:
    """How a run is called among others: `release 3, PROMOTE`, or `not released: HOLD`."""
    if outcome.outcome in _RELEASED:
        return f"release {outcome.release}, {outcome.verdict}"
    if outcome.outcome == "proposed":
        return f"release {outcome.release} proposed, {outcome.verdict}"
    if outcome.outcome in _BY_VERDICT:
        return f"not released: {outcome.verdict}"
    return f"not released: {outcome.outcome}"


def without_home(name: str, home: Path) -> str:
    """How data are called, without the folder of the person whose machine this is."""
    return name.replace(f"{home}/", "~/")


def _aliases(outcome: Outcome) -> tuple[str, ...]:
    if outcome.outcome == "promoted":
        return ("candidate", "champion")
    return ("candidate",)


def _record(report: Report, outcome: Outcome) -> Record:
    said = told.of(report.decision)
    metrics = said.metrics or said.of_classes or said.of_number
    trained = report.candidate.trained
    measured: TrainedMetrics | TrainedClassMetrics | TrainedNumberMetrics
    if report.request.contract.target.quantity:
        measured = trained.parsed(f"{MODEL}/metrics.json", TrainedNumberMetrics)
    elif report.request.contract.target.several:
        measured = trained.parsed(f"{MODEL}/metrics.json", TrainedClassMetrics)
    else:
        measured = trained.parsed(f"{MODEL}/metrics.json", TrainedMetrics)
    tuning = report.candidate.tuned.parsed(TUNING, Tuning)
    winner = report.candidate.tuned.facts
    holdout = structs.asdict(metrics.holdout) if metrics else {}
    validation = structs.asdict(measured.validation)
    data = _data(report)
    source = source_commit(report.request.settings.project)
    return Record(
        key=report.decision.decided.key,
        model=report.request.model,
        name=run_name(outcome),
        params={"family": winner.winner, **winner.parameters, **_threshold(trained.facts)},
        metrics={
            **_sorted(holdout),
            **{f"validation_{name}": value for name, value in _sorted(validation).items()},
        },
        tags={
            "verdict": report.decided.verdict,
            "sentence": report.decided.sentence,
            "outcome": outcome.outcome,
            "candidate": report.candidate.tag,
            "dataset": data.name,
            "dataset_sha256": data.sha256,
            "source_commit": source or "none",
            "model": report.candidate.trained.facts.model,
            **_delivered(outcome),
        },
        trials=tuning.trials,
        aliases=_aliases(outcome),
        data=data,
        source=source.removesuffix("-dirty"),
    )


def _threshold(trained: Trained) -> dict[str, float]:
    return {} if trained.threshold is None else {"threshold": trained.threshold}


def _data(report: Report) -> TrackedData:
    data = report.request.data
    name = without_home(data.reference, Path.home())
    return TrackedData(name, data.sha256, report.candidate.validated.facts.rows)


def _delivered(outcome: Outcome) -> dict[str, str]:
    """What there is of a release that came to an image, and to a commit."""
    tags = {
        "release": str(outcome.release or ""),
        "image": outcome.reference.partition("@")[0],
        "image_digest": outcome.digest,
        "manifest_commit": outcome.commit,
        "overlay": outcome.overlay,
    }
    return {name: text for name, text in tags.items() if text}


def _sorted(values: dict[str, float]) -> dict[str, float]:
    """By the alphabet, as metrics.json has them."""
    return dict(sorted(values.items()))
