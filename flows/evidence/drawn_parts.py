"""Which pictures the evidence has the numbers for, and from which part of it each is drawn.

Each is a function from the evidence to an SVG, or to None where a part is missing. None depends on
another one, and evidence is plain data: each can be drawn in a process of its own.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from flows.evidence import pictures
from flows.evidence.pictures import Floors, Point
from sluice.gitops.evidence import Evidence, Words
from sluice.model.quality.metrics_file import Metrics

Draw = Callable[[Evidence], str | None]
_NEUTRAL = Words(positive="Yes", negative="No", rows="rows")
_HALF = 0.5  # the threshold that is drawn where none is known


def confusion(evidence: Evidence) -> str | None:
    """What was flagged and what happened."""
    if evidence.in_parts is None:
        return None
    words = evidence.words or _NEUTRAL
    return pictures.confusion(evidence.in_parts.confusion, words.positive, words.negative)


def precision_recall(evidence: Evidence) -> str | None:
    """Precision against recall, with the floors of the gate and the operating point."""
    curves = evidence.diagnostics
    if curves is None:
        return None
    point = _operating_point(evidence.in_parts)
    return pictures.precision_recall(curves.candidate, curves.champion, point, floors(evidence))


def _operating_point(metrics: Metrics | None) -> Point | None:
    if metrics is None:
        return None
    return Point(
        metrics.holdout.recall,
        metrics.holdout.precision,
        metrics.intervals.recall,
        metrics.intervals.precision,
    )


def floors(evidence: Evidence) -> Floors | None:
    """The floors that the gate's rules name; None where it names none of recall or of precision.

    A floor of lift is one of precision at the prevalence of the rows that are shown.
    """
    judged = evidence.judged
    limits = {rule.rule: rule.limit for rule in (*judged.rules, *judged.validation)}
    recall = limits.get("recall_floor")
    precisions = [limits.get("precision_floor"), _lifted(evidence, limits.get("lift_floor"))]
    stated = [precision for precision in precisions if precision is not None]
    if recall is None or not stated:
        return None
    return Floors(recall, max(stated))


def _lifted(evidence: Evidence, lift: float | None) -> float | None:
    """The precision that is so many times the prevalence; None where one of the two is unknown."""
    if lift is None or evidence.in_parts is None:
        return None
    rows = evidence.in_parts.rows
    return lift * rows.holdout_positives / rows.holdout


def roc(evidence: Evidence) -> str | None:
    """Positives found against negatives flagged."""
    curves = evidence.diagnostics
    if curves is None:
        return None
    counts = evidence.in_parts.confusion if evidence.in_parts else None
    return pictures.roc(curves.candidate, curves.champion, counts)


def calibration(evidence: Evidence) -> str | None:
    """Predicted probability against what happened."""
    if evidence.diagnostics is None:
        return None
    return pictures.calibration(evidence.diagnostics.candidate.calibration)


def scores(evidence: Evidence) -> str | None:
    """Scores by class, with the threshold that ships."""
    if evidence.diagnostics is None:
        return None
    words = evidence.words or _NEUTRAL
    threshold = evidence.in_parts.threshold if evidence.in_parts else _HALF
    histogram = evidence.diagnostics.candidate.histogram
    return pictures.scores(histogram, threshold, words.positive, words.negative)


def segments(evidence: Evidence) -> str | None:
    """Recall by group."""
    metrics = evidence.in_parts
    if metrics is None or not metrics.segments:
        return None
    return pictures.segments(metrics.segments, metrics.holdout.recall)


def importance(evidence: Evidence) -> str | None:
    """What is lost when a column is shuffled."""
    if evidence.diagnostics is None or not evidence.diagnostics.importance:
        return None
    return pictures.importance(evidence.diagnostics.importance)


def learning(evidence: Evidence) -> str | None:
    """What is learnt from fewer rows."""
    if evidence.diagnostics is None or not evidence.diagnostics.learning:
        return None
    return pictures.learning(evidence.diagnostics.learning)


def tuning(evidence: Evidence) -> str | None:
    """The score of every trial."""
    searched = evidence.tuning
    if searched is None or not searched.trials:
        return None
    return pictures.tuning(searched.trials, searched.winner.number, searched.objective)


# Every picture by its name on the page.
PICTURES: dict[str, Draw] = {
    "confusion": confusion,
    "precision_recall": precision_recall,
    "roc": roc,
    "calibration": calibration,
    "scores": scores,
    "segments": segments,
    "importance": importance,
    "learning": learning,
    "tuning": tuning,
}


def draw(evidence: Evidence, known: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Every picture that this evidence has the numbers for: SVG by name; `known` stay as given."""
    drawn = {}
    for name, draw_one in PICTURES.items():
        svg = known.get(name) or draw_one(evidence)
        if svg is not None:
            drawn[name] = svg
    return drawn
