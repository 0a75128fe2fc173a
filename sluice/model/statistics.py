"""Statistics of one model: areas, scores and intervals, by scipy where it has them.

Labels are 0 or 1, scores are probabilities; both have the shape (rows,).

The gate works all of them out again, and importing scikit-learn would take longer than deciding
does. So the three that only scikit-learn has (two areas and the Brier score) stand here; the tests
hold them to scikit-learn's.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

# Gaps at which a mean distance is worked out; between two of them it is taken to be straight.
_GAPS = np.linspace(0.0, 1.0, 2_001)


@dataclass(frozen=True)
class Gap:
    """How far probabilities are from outcomes, with its two one-sided limits."""

    value: float
    low: float
    high: float


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's two-sided score interval of a proportion, as (low, high).

    It is (0, 1) where there is nothing to count.
    """
    side = (1 - level) / 2
    return wilson_low(successes, trials, side), 1 - wilson_low(trials - successes, trials, side)


def wilson_low(successes: int, trials: int, level: float) -> float:
    """Wilson's lower limit of a proportion; 0 where there is nothing to count.

    One-sided: it lies above the true proportion with a probability of `level`.
    """
    if trials == 0:
        return 0.0
    test = scipy.stats.binomtest(successes, trials, alternative="greater")
    return float(test.proportion_ci(confidence_level=1 - level, method="wilson").low)


def wilson_high(successes: int, trials: int, level: float) -> float:
    """Wilson's upper limit of a proportion; 1 where there is nothing to count.

    One-sided: it lies below the true proportion with a probability of `level`.
    """
    return 1 - wilson_low(trials - successes, trials, level)


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


def calibration_gap(labels: np.ndarray, scores: np.ndarray, level: float, parts: int = 10) -> Gap:
    """The calibration error without what chance alone adds to it.

    Even perfect probabilities have a mean distance from the outcomes of few rows: in a part of the
    rows it is that of a normal variable from zero. The value is the true gap, the same in every
    part, for which the measured error is the expected one. The limits are the gaps for which it
    lies just within what chance does; each one-sided at `level`.
    """
    order = np.argsort(scores, kind="stable")
    split = [part for part in np.array_split(order, parts) if len(part)]
    weights = np.array([len(part) for part in split]) / len(scores)
    variances = np.array([_mean_variance(labels[part], scores[part]) for part in split])
    expected, spread = _mean_distance(weights, variances)
    error = calibration_error(labels, scores, parts)
    reach = scipy.stats.norm.isf(level) * spread
    highest = np.minimum.accumulate((expected - reach)[::-1])[::-1]
    return Gap(
        value=float(np.interp(error, expected, _GAPS)),
        low=float(np.interp(error, np.maximum.accumulate(expected + reach), _GAPS)),
        high=float(np.interp(error, highest, _GAPS)),
    )


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
    labels: np.ndarray, scores: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """DeLong's two-sided interval of the area under the ROC curve, as (low, high).

    E. DeLong, D. DeLong, D. Clarke-Pearson (1988), by the midranks of X. Sun and W. Xu (2014).
    With fewer than two of a class everything is possible.
    """
    variance = roc_auc_variance(labels, scores)
    if not np.isfinite(variance):
        return 0.0, 1.0
    area = roc_auc(labels, scores)
    reach = scipy.stats.norm.ppf(0.5 + level / 2) * np.sqrt(variance)
    return float(max(0.0, area - reach)), float(min(1.0, area + reach))


def roc_auc_variance(labels: np.ndarray, scores: np.ndarray) -> float:
    """DeLong's variance of the area under the ROC curve.

    Endless where there are fewer than two of a class.
    """
    positive, negative = scores[labels == 1], scores[labels != 1]
    m, n = len(positive), len(negative)
    if min(m, n) < 2:
        return float("inf")
    ranks = scipy.stats.rankdata(np.concatenate([positive, negative]))
    within = scipy.stats.rankdata(positive), scipy.stats.rankdata(negative)
    return float(
        np.var((ranks[:m] - within[0]) / n, ddof=1) / m
        + np.var(1 - (ranks[m:] - within[1]) / m, ddof=1) / n
    )
