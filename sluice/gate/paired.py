"""Two models on the same rows: how far apart, how surely.

Recall is compared at equal flagged counts: both models are cut at the same number of rows (ties by
row hash), so a moved threshold gains nothing. What is left is paired: positives that only one of
the two finds.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

_EDGE = 1e-9  # how near to -1 and 1 a limit is looked for


@dataclass(frozen=True)
class Difference:
    """A difference, candidate minus other, with its two one-sided limits.

    Each limit is at `level`, a probability: the true difference is below `low` with at most that
    probability, and above `high` with at most that one.
    """

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Pairs:
    """Paired answers on `rows` rows.

    `gained` counts those that only the candidate gets right, `lost` those that only the other does.
    """

    gained: int
    lost: int
    rows: int

    @property
    def discordant(self) -> float:
        """The share of the rows that only one of the two gets right.

        One row at least is taken to be such, so that it can be divided by.
        """
        return max(self.gained + self.lost, 1) / max(self.rows, 1)


def top(scores: np.ndarray, hashes: np.ndarray, count: int) -> np.ndarray:
    """Which rows are flagged when `count` of them are; boolean, shape (rows,).

    The highest `scores` first, and of equal ones the lowest of `hashes`; both of shape (rows,).
    """
    # The last key of a lexsort counts first.
    order = np.lexsort((hashes, -scores))
    flagged = np.zeros(len(scores), dtype=bool)
    flagged[order[:count]] = True
    return flagged


def on_positives(labels: np.ndarray, candidate: np.ndarray, other: np.ndarray) -> Pairs:
    """The pairs behind a difference in recall.

    `labels` are 0 and 1, `candidate` and `other` boolean: the rows that each model flags. All of
    shape (rows,).
    """
    positive = labels == 1
    gained = positive & candidate & ~other
    lost = positive & other & ~candidate
    return Pairs(int(gained.sum()), int(lost.sum()), int(positive.sum()))


def better(pairs: Pairs) -> float:
    """The exact one-sided p-value that gains outnumber losses.

    If neither model is better, each discordant pair is a gain with probability 1/2: the result is
    P(X >= gained) for X binomial(gained + lost, 1/2). Q. McNemar, Note on the sampling error of the
    difference between correlated proportions or percentages, Psychometrika 12 (1947).
    """
    discordant = pairs.gained + pairs.lost
    return float(scipy.stats.binom.sf(pairs.gained - 1, discordant, 0.5))


def worse(pairs: Pairs, margin: float) -> float:
    """The one-sided p-value that the difference lies below `-margin`, by Tango's statistic.

    A small one means that it does: `margin` is in the same unit, a share of the rows.
    """
    return float(scipy.stats.norm.cdf(_score(pairs, -margin)))


def tango(pairs: Pairs, level: float) -> Difference:
    """The difference of two paired proportions, with Tango's score limits.

    Each limit is one-sided at `level`, a probability. Without rows, everything is possible. T.
    Tango, Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design, Statistics in Medicine 17 (1998).
    """
    if pairs.rows == 0:
        return Difference(0.0, -1.0, 1.0, level)
    value = (pairs.gained - pairs.lost) / pairs.rows
    quantile = float(scipy.stats.norm.isf(level))
    low = _limit(pairs, value, -1.0, quantile)
    high = _limit(pairs, value, 1.0, -quantile)
    return Difference(value, low, high, level)


def _limit(pairs: Pairs, value: float, end: float, wanted: float) -> float:
    """The difference between `value` and `end` (-1 or 1) whose statistic is `wanted`.

    `end` itself where the statistic is nowhere so far from zero.
    """
    edge = end * (1 - _EDGE)
    if value == end or abs(_score(pairs, edge)) < abs(wanted):
        return end
    return float(scipy.optimize.brentq(lambda delta: _score(pairs, delta) - wanted, edge, value))


def _score(pairs: Pairs, delta: float) -> float:
    """Tango's statistic for the hypothesis that the difference is `delta`.

    Standard normal if it is; it falls as `delta` grows. The variance comes from the most likely
    share of losses under the hypothesis, the root of 2 n q^2 + B q - lost d (1 - d) = 0 with
    B = -gained - lost + (2 n - gained + lost) d (Tango 1998).
    """
    gained, lost, rows = pairs.gained, pairs.lost, pairs.rows
    middle = -gained - lost + (2 * rows - gained + lost) * delta
    # Rounding may make the discriminant of equal roots negative.
    root = math.sqrt(max(0.0, middle**2 + 8 * rows * lost * delta * (1 - delta)))
    variance = (root - middle) / 2 + rows * delta * (1 - delta)
    distance = gained - lost - rows * delta
    if variance > 0:
        return distance / math.sqrt(variance)
    if distance:
        return math.copysign(math.inf, distance)
    return 0.0


def mean_difference(candidate: np.ndarray, other: np.ndarray, level: float) -> Difference:
    """The mean of paired differences, candidate minus other, with Student's one-sided limits.

    Both are of shape (rows,) and in one unit, such as squared errors. Differences that are all
    equal have no spread: both limits are their value.
    """
    differences = candidate - other
    value = float(differences.mean())
    if not np.ptp(differences) > 0:
        return Difference(value, value, value, level)
    # Two-sided at 1 - 2 level, so that each side is at `level`.
    interval = scipy.stats.ttest_1samp(differences, 0.0).confidence_interval(1 - 2 * level)
    return Difference(value, float(interval.low), float(interval.high), level)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values, in the order of `p_values`, shape (tests,).

    S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6 (1979).
    """
    # The smallest is multiplied by the number of tests, the next by one less; none falls below the
    # one before it.
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
