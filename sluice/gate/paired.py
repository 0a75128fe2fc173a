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
    """A difference, candidate minus other, with its two one-sided limits at `level` each."""

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Pairs:
    """Paired answers on `rows` rows: right in the candidate alone (`gained`), right in the other
    alone (`lost`).
    """

    gained: int
    lost: int
    rows: int

    @property
    def discordant(self) -> float:
        """The share of the rows that only one of the two gets right; at least one row, so that it
        can be divided by.
        """
        return max(self.gained + self.lost, 1) / max(self.rows, 1)


def top(scores: np.ndarray, hashes: np.ndarray, count: int) -> np.ndarray:
    """Which rows are flagged when `count` of them are, highest scores first, ties by hash; boolean,
    shape (rows,).
    """
    chosen = np.zeros(len(scores), dtype=bool)
    chosen[np.lexsort((hashes, -scores))[:count]] = True
    return chosen


def on_positives(labels: np.ndarray, candidate: np.ndarray, other: np.ndarray) -> Pairs:
    """The pairs behind a difference in recall; `candidate` and `other` are the flagged rows,
    boolean.
    """
    positive = labels == 1
    gained, lost = positive & candidate & ~other, positive & other & ~candidate
    return Pairs(int(gained.sum()), int(lost.sum()), int(positive.sum()))


def better(pairs: Pairs) -> float:
    """The exact one-sided p-value that gains outnumber losses (McNemar): P(X >= gained), X
    binomial(n, 1/2).
    """
    return float(scipy.stats.binom.sf(pairs.gained - 1, pairs.gained + pairs.lost, 0.5))


def worse(pairs: Pairs, margin: float) -> float:
    """The one-sided p-value that the difference lies below `-margin`, by Tango's score
    statistic.
    """
    return float(scipy.stats.norm.cdf(_score(pairs, -margin)))


def tango(pairs: Pairs, level: float) -> Difference:
    """The difference of two paired proportions with Tango's score limits, each one-sided at
    `level`.

    T. Tango, Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design, Statistics in Medicine 17 (1998). Without rows, everything is possible.
    """
    if pairs.rows == 0:
        return Difference(0.0, -1.0, 1.0, level)
    value = (pairs.gained - pairs.lost) / pairs.rows
    reach = float(scipy.stats.norm.isf(level))
    return Difference(
        value, _limit(pairs, value, -1.0, reach), _limit(pairs, value, 1.0, -reach), level
    )


def _limit(pairs: Pairs, value: float, end: float, wanted: float) -> float:
    """Between `value` and `end` (-1 or 1), the difference whose statistic is `wanted`; `end` if
    none is so far off.
    """
    edge = end * (1 - _EDGE)
    if value == end or abs(_score(pairs, edge)) < abs(wanted):
        return end
    return float(scipy.optimize.brentq(lambda delta: _score(pairs, delta) - wanted, edge, value))


def _score(pairs: Pairs, delta: float) -> float:
    """Tango's statistic for the hypothesis that the difference is `delta`; falls as `delta`
    grows.
    """
    gained, lost, rows = pairs.gained, pairs.lost, pairs.rows
    middle = -gained - lost + (2 * rows - gained + lost) * delta
    root = math.sqrt(max(0.0, middle**2 + 8 * rows * lost * delta * (1 - delta)))
    variance = (root - middle) / 2 + rows * delta * (1 - delta)
    distance = gained - lost - rows * delta
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def mean_difference(candidate: np.ndarray, other: np.ndarray, level: float) -> Difference:
    """The mean of paired differences (such as squared errors, shape (rows,)) with Student's
    one-sided limits.
    """
    differences = candidate - other
    value = float(differences.mean())
    if not np.ptp(differences) > 0:
        return Difference(value, value, value, level)
    interval = scipy.stats.ttest_1samp(differences, 0.0).confidence_interval(1 - 2 * level)
    return Difference(value, float(interval.low), float(interval.high), level)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values: S. Holm, A simple sequentially rejective multiple test procedure
    (1979).
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
