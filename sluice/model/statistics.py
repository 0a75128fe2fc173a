"""Statistics of one model: areas, scores and intervals, by scipy where it has them.

Labels are 0 or 1, scores are probabilities; both have the shape (rows,).

The gate works all of them out again, and importing scikit-learn would take longer than deciding
does. So the three that only scikit-learn has (two areas and the Brier score) stand here; the tests
hold them to scikit-learn's.
"""

import numpy as np
import scipy  # its parts are loaded at their first use


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


def roc_auc_interval(
    labels: np.ndarray, scores: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """DeLong's two-sided interval of the area under the ROC curve, as (low, high).

    E. DeLong, D. DeLong, D. Clarke-Pearson (1988), by the midranks of X. Sun and W. Xu (2014).
    With fewer than two of a class everything is possible.
    """
    positive, negative = scores[labels == 1], scores[labels != 1]
    m, n = len(positive), len(negative)
    if min(m, n) < 2:
        return 0.0, 1.0
    ranks = scipy.stats.rankdata(np.concatenate([positive, negative]))
    within = scipy.stats.rankdata(positive), scipy.stats.rankdata(negative)
    area = (ranks[:m].sum() - m * (m + 1) / 2) / (m * n)
    spread = (
        np.var((ranks[:m] - within[0]) / n, ddof=1) / m
        + np.var(1 - (ranks[m:] - within[1]) / m, ddof=1) / n
    )
    reach = scipy.stats.norm.ppf(0.5 + level / 2) * np.sqrt(spread)
    return float(max(0.0, area - reach)), float(min(1.0, area + reach))
