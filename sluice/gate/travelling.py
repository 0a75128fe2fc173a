"""Floors and ceilings in units that travel: they ask the same of a model at every prevalence.

A precision of 0.3 is poor where half of the rows are positives, and three times what lots would
give where a tenth is. Lift is precision over prevalence; Brier skill is the part of the Brier score
of the prevalence that the scores take away; the share of the calibration error is that of the
prevalence. Each is a rule only where the policy states its limit.
"""

import math
from collections.abc import Iterator

import numpy as np

from sluice.gate.case import Case, Holdout, Rule
from sluice.gate.floors import hits_needed, placed_by_few, precision_share
from sluice.gate.limits import Least, Limit, scarce
from sluice.gate.paired import Difference, mean_difference
from sluice.model.quality.clusters import of_share, sums
from sluice.model.quality.metrics import confusion
from sluice.model.quality.statistics import calibration_gap
from sluice.percent import percent

# How much of the variance of a precision is left where the same rows give the prevalence.
_LEAST_LEFT = 0.25


def lift_floor(case: Case) -> Iterator[Rule]:
    """Precision over prevalence at the shipped threshold."""
    floor = case.policy.lift_floor
    if not floor:
        return
    precision, prevalence = precision_share(case), case.holdout.prevalence
    value = precision.value
    widened = _widened(case)
    step = "Flag {} in place of other rows"
    least = Least(
        name="lift_floor",
        title="Lift (precision over prevalence)",
        value=value / prevalence,
        low=max(value - widened * (value - precision.low), 0.0) / prevalence,
        high=(value + widened * (precision.high - value)) / prevalence,
        least=floor,
        rows=precision.of,
        called="flagged rows",
        needed=hits_needed(case, precision, floor * prevalence, step),
        scarce=placed_by_few(case),
    )
    yield least.rule(first=case.first)


def _widened(case: Case) -> float:
    """By how much the chance of the prevalence widens the limits of a precision; below 1 where the
    two rise and fall together.

    With n rows of which a share q is positive, m flagged with precision p and recall r, the
    variance of p - (p / q) times the prevalence is p (1 - p) / m times 1 + r (2 p - q - 1) /
    (1 - p), because r q n = p m.
    """
    counts = confusion(case.holdout.labels, case.holdout.candidate.flagged)
    precision = counts.true_positive / max(counts.flagged, 1)
    if precision >= 1.0:
        return 1.0
    if case.holdout.clusters is not None:
        return _widened_of_clusters(case.holdout, precision)
    recall = counts.true_positive / counts.positives
    turned = 2 * precision - case.holdout.prevalence - 1
    return math.sqrt(max(1 + recall * turned / (1 - precision), _LEAST_LEFT))


def _widened_of_clusters(holdout: Holdout, precision: float) -> float:
    """The same where rows belong together: from what each cluster moves precision and prevalence
    by.
    """
    positive, flagged = holdout.labels == 1, holdout.candidate.flagged
    plain = flagged * (positive - precision) / flagged.sum()
    lift = precision / holdout.prevalence
    turned = plain - lift * (positive - holdout.prevalence) / len(positive)
    squares = [float((sums(moved, holdout.clusters) ** 2).sum()) for moved in (turned, plain)]
    return math.sqrt(max(squares[0] / max(squares[1], 1e-300), _LEAST_LEFT))


def brier_skill_floor(case: Case) -> Iterator[Rule]:
    """The scores take away a part of the Brier score that the prevalence alone has."""
    floor = case.policy.brier_skill_floor
    if not floor:
        return
    holdout = case.holdout
    skill = brier_skill(
        holdout.labels, holdout.candidate.scores, case.policy.level, holdout.clusters
    )
    short = max(floor - skill.value, 0.0) * holdout.prevalence * (1 - holdout.prevalence)
    least = Least(
        name="brier_skill_floor",
        title="Brier skill (1 - Brier score over that of the prevalence)",
        value=skill.value,
        low=skill.low,
        high=skill.high,
        least=floor,
        rows=len(holdout.labels),
        called="rows",
        needed=f"Lower the Brier score by {short:.4f}",
        scarce=scarce(case),
    )
    yield least.rule(first=case.first)


def brier_skill(
    labels: np.ndarray, scores: np.ndarray, level: float, clusters: np.ndarray | None = None
) -> Difference:
    """1 less the Brier score over that of the prevalence, with Student's one-sided limits.

    `labels` are 0 and 1, both of them there, and `scores` probabilities; both of shape (rows,).
    `clusters` are numbers, equal in rows that belong together.
    """
    mine = (scores - labels) ** 2
    plain = (labels - labels.mean()) ** 2
    scale = float(plain.mean())
    left = float(mine.mean()) / scale
    # To first order the ratio varies as the mean of its numerator less so much of its denominator.
    spread = mean_difference(mine, left * plain, level, clusters)
    low, high = 1 - left - spread.high / scale, 1 - left - spread.low / scale
    return Difference(1 - left, low, high, level)


def calibration_share(case: Case) -> Iterator[Rule]:
    """Probabilities can be taken at their word, in parts of the prevalence."""
    most = case.policy.calibration_share_ceiling
    if not most:
        return
    holdout, level = case.holdout, case.policy.level
    rows, prevalence = len(holdout.labels), holdout.prevalence
    gap = calibration_gap(
        holdout.labels, holdout.candidate.scores, level, clusters=holdout.clusters
    )
    value = gap.value / prevalence
    every = np.ones(rows, dtype=bool)
    design = of_share(holdout.labels == 1, every, holdout.clusters)
    chance = design.quantile(level) * math.sqrt(
        (1 - prevalence) / (prevalence * rows) * design.factor
    )
    reach = math.hypot((gap.value - gap.low) / prevalence, value * chance)
    sentence = (
        f"Calibration error is {percent(value, 1)} of the prevalence of {prevalence:.4f} beyond"
        f" chance, with a lower limit of {percent(max(value - reach, 0.0), 1)}; at most"
        f" {percent(most, 1)} is allowed"
    )
    broken = f"Lower it by {percent(value - most, 1)}"
    limit = Limit("calibration_share", sentence, value, reach, most, rows, broken, scarce(case))
    yield limit.rule()
