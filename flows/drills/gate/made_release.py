"""Releases that are made up, with all that the registry and the manifest repo keep of one."""

from dataclasses import dataclass

from msgspec import UNSET

from flows.adapters.registry import registry
from flows.gitops import manifest_repo
from flows.gitops.promotion import Promotion, promote, promotion_id
from flows.project.settings import Settings
from sluice.errors import SluiceError
from sluice.gitops import trailers
from sluice.gitops.evidence import NAME, Evidence, write_evidence
from sluice.gitops.image_names import local_image
from sluice.gitops.manifest import ImageEntry
from sluice.gitops.state import Champion, Reference
from sluice.model.classes.metrics_file import ClassMetrics
from sluice.model.classes.metrics_file import Group as ClassGroup
from sluice.model.classes.metrics_file import Intervals as ClassIntervals
from sluice.model.classes.metrics_file import Measures as ClassMeasures
from sluice.model.classes.metrics_file import ScoredRows as ClassRows
from sluice.model.number.metrics_file import (
    NumberFolds,
    NumberGroup,
    NumberIntervals,
    NumberMeasures,
    NumberMetrics,
    NumberScoredRows,
)
from sluice.model.quality.diagnostics_file import (
    CalibrationCell,
    Curves,
    Diagnostics,
    PrecisionRecall,
    Roc,
    ScoreHistogram,
)
from sluice.model.quality.metrics_file import (
    Confusion,
    CrossValidation,
    Group,
    Intervals,
    Measures,
    Metrics,
    ScoredRows,
    Spread,
)

TAG = "{:016x}"
_KIND = "application/vnd.sluice.drill.v1"
_ANY = (0.0, 1.0)  # an interval that nobody looks at
_ERROR = 10.0  # of the median, in the unit of a number
ONE_CLASS, CLASSES, NUMBER = "one class", "classes", "number"


@dataclass(frozen=True)
class Quality:
    """What a release is worth: `gap` is the mean distance of probability and outcome, `group` the
    recall of its only group, which has so many positives. Of several classes recall is their mean,
    of a number the skill stands in its place.
    """

    target: str = ONE_CLASS
    recall: float = 0.9
    precision: float = 0.9
    gap: float = 0.01
    group: float = 0.9
    positives: int = 300


def release(settings: Settings, model: str, number: int, quality: Quality) -> None:
    """Keep a made-up release of this number and let it be live, after the one before it.

    Raises SluiceError where that does not become a commit.
    """
    tag, place = TAG.format(number), manifest_repo.images(settings, model)
    registry.push_files(place, f"{tag}.model", {"model.onnx": tag.encode()}, _KIND, {})
    evidence = {NAME: write_evidence(_evidence(model, quality)).encode()}
    kept = registry.push_files(place, f"{tag}.evidence", evidence, _KIND, {})
    written = promote(settings, _promotion(settings, model, number, quality, kept))
    if written.outcome != "committed":
        raise SluiceError(f"release {number} is not live: {written.sentence}", "This is a fault.")


def _promotion(
    settings: Settings, model: str, number: int, quality: Quality, evidence: str
) -> Promotion:
    tag = TAG.format(number)
    entry = ImageEntry(
        local_image(model), manifest_repo.image_name(settings, model), tag, _digest(tag)
    )
    name = promotion_id(model, entry, number)
    against = None
    if number > 1:
        before = TAG.format(number - 1)
        against = Reference(before, _digest(before), f"model of {before}")
    record = trailers.Promotion(
        promotion_id=name,
        model=model,
        release=number,
        image_digest=entry.digest,
        against=against.tag if against else "none",
    )
    number_target = quality.target == NUMBER
    champion = Champion(
        tag=tag,
        digest=entry.digest,
        image=entry.new_name,
        release=number,
        model=f"model of {tag}",
        recall=UNSET if number_target else quality.recall,
        precision=UNSET if number_target else quality.precision,
        skill=quality.recall if number_target else UNSET,
        against=against,
        evidence=evidence,
        promotion=name,
    )
    return Promotion(model, champion, f"Release {number}", "A drill.", record)


def _digest(tag: str) -> str:
    return f"sha256:{tag * 4}"


def _evidence(model: str, quality: Quality) -> Evidence:
    """Evidence of a release that is worth so much; what nobody looks at is made up."""
    if quality.target == NUMBER:
        return Evidence(model=model, number_metrics=_of_number(model, quality))
    if quality.target == CLASSES:
        return Evidence(model=model, class_metrics=_of_classes(model, quality))
    positives = quality.positives
    group = Group(3 * positives, positives, quality.group, 0.5, 0.5, _ANY)
    measures = Measures(0.5, quality.precision, quality.recall, 0.5, 0.5, 0.5, 0.5, 0.25)
    spread = Spread(0.5, 0.0, (0.5,))
    metrics = Metrics(
        model=model,
        threshold=0.5,
        rows=ScoredRows(1, 1, 1, 1),
        holdout=measures,
        intervals=Intervals(0.95, _ANY, _ANY, _ANY, _ANY),
        confusion=Confusion(1, 1, 1, 1),
        validation=measures,
        cross_validation=CrossValidation(spread, spread),
        segments={"Site": {"north": group}},
    )
    curves = Curves(
        precision_recall=PrecisionRecall((), ()),
        roc=Roc((), ()),
        calibration=(CalibrationCell(0.5, 0.5 + quality.gap, 1_000, _ANY),),
        histogram=ScoreHistogram((), (), ()),
        rows=1_000,
        positives=500,
    )
    return Evidence(model=model, metrics=metrics, diagnostics=Diagnostics(curves, (), ()))


def _of_classes(model: str, quality: Quality) -> ClassMetrics:
    measures = ClassMeasures(0.5, quality.precision, quality.recall, 0.5, 0.5, 0.5, 0.25)
    spread = Spread(0.5, 0.0, (0.5,))
    group = ClassGroup(quality.positives, quality.group, _ANY)
    return ClassMetrics(
        model=model,
        weights={},
        rows=ClassRows(1, 1, 1),
        holdout=measures,
        intervals=ClassIntervals(0.95, _ANY, _ANY),
        classes={},
        confusion={},
        validation=measures,
        cross_validation=CrossValidation(spread, spread),
        segments={"Site": {"north": group}},
    )


def _of_number(model: str, quality: Quality) -> NumberMetrics:
    skill = quality.recall
    measures = NumberMeasures(_ERROR * (1 - skill), _ERROR, 0.0, 0.5, _ERROR, skill)
    group = NumberGroup(quality.positives, _ERROR * (1 - quality.group), 0.0, _ANY, _ANY)
    return NumberMetrics(
        model=model,
        unit="",
        band=1.0,
        middle=0.0,
        rows=NumberScoredRows(1, 1, 1),
        holdout=measures,
        intervals=NumberIntervals(0.95, _ANY, _ANY, _ANY, _ANY),
        validation=measures,
        cross_validation=NumberFolds(Spread(skill, 0.0, (skill,))),
        segments={"Site": {"north": group}},
    )
