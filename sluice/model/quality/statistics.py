"""Statistics of one model: areas, scores and intervals, by scipy where it has them.

Labels are 0 or 1, scores are probabilities; both have the shape (rows,).

The gate works all of them out again, and importing scikit-learn would take longer than deciding
does. So the three that only scikit-learn has (two areas and the Brier score) stand here; the tests
hold them to scikit-learn's.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.model.quality.clusters import INDEPENDENT, Design, design_of, sums

# Gaps at which a mean distance is worked out; between two of them it is taken to be straight.
_GAPS = np.linspace(0.0, 1.0, 2_001)


@dataclass(frozen=True)
class Gap:
    """How far probabilities are from outcomes, with its two one-sided limits."""

    value: float
    low: float
    high: float


def wilson(
    successes: int, trials: int, level: float = 0.95, design: Design = INDEPENDENT
) -> tuple[float, float]:
    """Wilson's two-sided score interval of a proportion, as (low, high).

    It is (0, 1) where there is nothing to count. `design` is that of the rows, where these belong
    together in groups.
    """
    side = (1 - level) / 2
    low = wilson_low(successes, trials, side, design)
    return low, 1 - wilson_low(trials - successes, trials, side, design)


def wilson_low(successes: int, trials: int, level: float, design: Design = INDEPENDENT) -> float:
    """Wilson's lower limit of a proportion; 0 where there is nothing to count.

    One-sided: it lies above the true proportion with a probability of `level`.
    """
    if trials == 0:
        return 0.0
    if not design.independent:
        return _wilson_low_of_groups(successes / trials, trials / design.factor, level, design)
    test = scipy.stats.binomtest(successes, trials, alternative="greater")
    return float(test.proportion_ci(confidence_level=1 - level, method="wilson").low)


def _wilson_low_of_groups(share: float, rows: float, level: float, design: Design) -> float:
    """The same on so many independent rows, which are no whole number."""
    squared = design.quantile(level) ** 2 / rows
    spread = math.sqrt(squared * share * (1 - share) + squared**2 / 4)
    return max(share + squared / 2 - spread, 0.0) / (1 + squared)


def wilson_high(successes: int, trials: int, level: float, design: Design = INDEPENDENT) -> float:
    """Wilson's upper limit of a proportion; 1 where there is nothing to count.

    One-sided: it lies below the true proportion with a probability of `level`.
    """
    return 1 - wilson_low(trials - successes, trials, level, design)


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The area under the ROC curve.

    It says how often a positive is ranked above a negative; ties count half.
    """
    positives = int((labels == 1).sum())
    ranks = scipy.stats.rankdata(scores)[labels == 1].sum()
    return float(
        (ranks - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))
    )


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """The area under the precision-recall curve, as scikit-learn has it.

    It is the mean of the precisions at each different score from the highest down, weighted by the
    rise in recall there.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(labels[order] == 1)[last]
    rise = np.diff(hits, prepend=0) / hits[-1]
    return float(np.sum(rise * hits / (last + 1)))


def brier(labels: np.ndarray, scores: np.ndarray) -> float:
    """The mean squared distance of probability and outcome."""
    return float(np.mean((scores - labels) ** 2))


def calibration_error(labels: np.ndarray, scores: np.ndarray, parts: int = 10) -> float:
    """The mean distance of score and outcome, over equally large parts of the rows ordered by
    score.
    """
    order = np.argsort(scores, kind="stable")
    total = 0.0
    for part in np.array_split(order, parts):
        if len(part):
            gap = abs(float(scores[part].mean() - labels[part].mean()))
            total += gap * len(part)
    return total / len(scores)


def calibration_gap(
    labels: np.ndarray,
    scores: np.ndarray,
    level: float,
    parts: int = 10,
    clusters: np.ndarray | None = None,
) -> Gap:
    """The calibration error without what chance alone adds to it.

    Even perfect probabilities have a mean distance from the outcomes of few rows: in a part of the
    rows it is that of a normal variable from zero. The value is the true gap, the same in every
    part, for which the measured error is the expected one. The limits are the gaps for which it
    lies just within what chance does; each one-sided at `level`. `clusters` are the groups of the
    rows, as numbers.
    """
    order = np.argsort(scores, kind="stable")
    split = [part for part in np.array_split(order, parts) if len(part)]
    weights = np.array([len(part) for part in split]) / len(scores)
    variances = np.array([_mean_variance(labels[part], scores[part]) for part in split])
    design = _design_of_parts(labels, scores, split, clusters)
    expected, spread = _mean_distance(weights, variances * design.factor)
    # Parts share groups, so that they may all be off by chance at once.
    together = 1.0 if clusters is None else _sharing(labels - scores, split, clusters)
    error = calibration_error(labels, scores, parts)
    reach = design.quantile(level) * spread * together
    highest = np.minimum.accumulate((expected - reach)[::-1])[::-1]
    return Gap(
        value=float(np.interp(error, expected, _GAPS)),
        low=float(np.interp(error, np.maximum.accumulate(expected + reach), _GAPS)),
        high=float(np.interp(error, highest, _GAPS)),
    )


def _design_of_parts(
    labels: np.ndarray, scores: np.ndarray, split: list[np.ndarray], clusters: np.ndarray | None
) -> Design:
    """The design effect of the mean outcome of a part, one for all parts."""
    if clusters is None:
        return INDEPENDENT
    part = np.empty(len(labels), dtype=np.int64)
    off = labels - scores
    for number, rows in enumerate(split):
        part[rows] = number
        off[rows] = off[rows] - off[rows].mean()
    inside = clusters * len(split) + part  # the rows of a group that are in one part
    return design_of(off, np.unique(inside, return_inverse=True)[1])


def _sharing(off: np.ndarray, split: list[np.ndarray], clusters: np.ndarray) -> float:
    """By how much the spread of the mean distance grows where parts share groups; at least 1.

    `off` is outcome less score, shape (rows,).
    """
    centred = np.empty(len(off))
    alone = 0.0
    for rows in split:
        centred[rows] = off[rows] - off[rows].mean()
        alone += float((sums(centred[rows], clusters[rows]) ** 2).sum())
    whole = float((sums(centred, clusters) ** 2).sum())
    return math.sqrt(max(whole / alone, 1.0)) if alone > 0 else 1.0


def _mean_variance(labels: np.ndarray, scores: np.ndarray) -> float:
    """The variance of the mean outcome of a part: by its scores or by its labels, the larger."""
    rate = float(labels.mean())
    return max(float(np.mean(scores * (1 - scores))), rate * (1 - rate)) / len(labels)


def _mean_distance(weights: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the calibration error, for each of `_GAPS`.

    The distance in each part is the absolute value of a normal variable. `weights` and `variances`
    are those of the parts, shape (parts,).
    """
    gaps = _GAPS[:, None]
    spread = np.sqrt(np.maximum(variances, 1e-12))
    density = np.sqrt(2 / np.pi) * spread * np.exp(-(gaps**2) / (2 * spread**2))
    distance = density + gaps * (1 - 2 * scipy.special.ndtr(-gaps / spread))
    variance = np.maximum(gaps**2 + spread**2 - distance**2, 0.0)
    return distance @ weights, np.sqrt(variance @ weights**2)


def roc_auc_interval(
    labels: np.ndarray,
    scores: np.ndarray,
    level: float = 0.95,
    clusters: np.ndarray | None = None,
) -> tuple[float, float]:
    """DeLong's two-sided interval of the area under the ROC curve, as (low, high).

    E. DeLong, D. DeLong, D. Clarke-Pearson (1988), by the midranks of X. Sun and W. Xu (2014).
    With fewer than two of a class everything is possible. `clusters` are the groups of the rows, as
    numbers.
    """
    variance = roc_auc_variance(labels, scores, clusters)
    if not np.isfinite(variance):
        return 0.0, 1.0
    area = roc_auc(labels, scores)
    design = roc_auc_design(labels, scores, clusters)
    if not design.independent and 0 < area < 1:
        # Few clusters lean more than many rows do: on a scale without ends they do not.
        middle = math.log(area / (1 - area))
        reach = design.quantile((1 - level) / 2) * math.sqrt(variance) / (area * (1 - area))
        return _logistic(middle - reach), _logistic(middle + reach)
    reach = scipy.stats.norm.ppf(0.5 + level / 2) * np.sqrt(variance)
    return float(max(0.0, area - reach)), float(min(1.0, area + reach))


def _logistic(odds: float) -> float:
    return float(scipy.special.expit(odds))


def roc_auc_variance(
    labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray | None = None
) -> float:
    """DeLong's variance of the area under the ROC curve.

    Endless where there are fewer than two of a class. With clusters it is that of N. Obuchowski,
    Nonparametric analysis of clustered ROC curve data, Biometrics 53 (1997), and never smaller than
    without.
    """
    m, n = int((labels == 1).sum()), int((labels != 1).sum())
    if min(m, n) < 2:
        return float("inf")
    positive, negative = _placements(labels, scores)
    alone = float(np.var(positive, ddof=1) / m + np.var(negative, ddof=1) / n)
    return alone * roc_auc_design(labels, scores, clusters).factor


def roc_auc_design(labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray | None) -> Design:
    """The design effect of the area under the ROC curve."""
    m, n = int((labels == 1).sum()), int((labels != 1).sum())
    if clusters is None or min(m, n) < 2:
        return INDEPENDENT
    positive, negative = _placements(labels, scores)
    moved = np.empty(len(labels))
    moved[labels == 1] = (positive - positive.mean()) / m
    moved[labels != 1] = (negative - negative.mean()) / n
    return design_of(moved, clusters)


def _placements(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each positive the share of negatives below it, and for each negative that of positives
    below it, less than nothing: the more there are, the worse. Ties count half.
    """
    positive, negative = scores[labels == 1], scores[labels != 1]
    m, n = len(positive), len(negative)
    ranks = scipy.stats.rankdata(np.concatenate([positive, negative]))
    within = scipy.stats.rankdata(positive), scipy.stats.rankdata(negative)
    return (ranks[:m] - within[0]) / n, (within[1] - ranks[m:]) / m
