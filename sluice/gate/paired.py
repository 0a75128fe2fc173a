"""Two models on the same rows: how far apart, how surely.

Recall is compared at equal flagged counts: both models are cut at the same number of rows (ties by
row hash), so a moved threshold gains nothing. The two then differ in two sets of equally many rows,
those that the one flags alone and those that the other does, and the positives gained and lost are
counts in these. Where two models are compared as they ship, or in a group, the sets are not equally
large. docs/statistics.md derives the test and the limits of both cases.

The unit is a row: rows are independent of each other, or belong together in clusters, which are.
`at_equal_counts` and `on_positives` are the only functions on pairs that see rows, and
`unit_variance` is the only one that knows a variance: clusters are counted in the first two and
widen the third.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.model.quality.clusters import INDEPENDENT, Design, design_of

_EDGE = 1e-9  # how near to -1 and 1 a limit is looked for
# A difference of counts is a whole number, and is brought so much nearer to its hypothesis.
# Without it, limits at 0.05 hold the truth with 0.93 where two models differ in ten rows; with the
# usual 0.5 they hold it with 0.965 where they differ in a hundred.
CONTINUITY = 0.25


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
    """Paired answers on `rows` rows, which are the positives where recall is compared.

    `gained` counts those that only the candidate gets right, `lost` those that only the other does.
    `side` is known where both models flag equally many rows: how many rows, positive or not, the
    one flags and the other does not; it is the same number for both. For a group it is that of the
    whole. None says that the two flag different numbers of rows, as models do that are compared as
    they ship. `design` says how much wider the difference is known where rows belong together.
    """

    gained: int
    lost: int
    rows: int
    side: int | None = None
    design: Design = INDEPENDENT

    @property
    def difference(self) -> float:
        """The share of the rows gained, less the share lost; 0 without rows."""
        return (self.gained - self.lost) / max(self.rows, 1)

    @property
    def discordant(self) -> float:
        """The share of the rows that only one of the two gets right.

        One row at least is taken to be such, so that it can be divided by.
        """
        return max(self.gained + self.lost, 1) / max(self.rows, 1)

    @property
    def rest(self) -> int | None:
        """The other rows on which two models differ that flag equally many; None where they do not.

        For each positive that is gained one of these is no longer flagged, and the reverse.
        """
        return None if self.side is None else 2 * self.side - self.gained - self.lost

    @property
    def positive_share(self) -> float:
        """The share of positives among the rows on which two models differ that flag equally many.

        0 where they do not. One row of each kind is taken to be there.
        """
        if self.rest is None:
            return 0.0
        discordant = max(self.gained + self.lost, 1)
        return discordant / (discordant + max(self.rest, 1))


def top(scores: np.ndarray, hashes: np.ndarray, count: int) -> np.ndarray:
    """Which rows are flagged when `count` of them are; boolean, shape (rows,).

    The highest `scores` first, and of equal ones the lowest of `hashes`; both of shape (rows,).
    """
    # The last key of a lexsort counts first.
    order = np.lexsort((hashes, -scores))
    flagged = np.zeros(len(scores), dtype=bool)
    flagged[order[:count]] = True
    return flagged


def on_positives(
    labels: np.ndarray,
    candidate: np.ndarray,
    other: np.ndarray,
    clusters: np.ndarray | None = None,
) -> Pairs:
    """The pairs behind a difference in recall.

    `labels` are 0 and 1, `candidate` and `other` boolean: the rows that each model flags;
    `clusters` are numbers, equal in rows that belong together. All of shape (rows,).
    """
    pairs = _counted(labels, candidate, other)
    return replace(pairs, design=_design(labels, candidate, other, 0.0, clusters))


def _counted(labels: np.ndarray, candidate: np.ndarray, other: np.ndarray) -> Pairs:
    positive = labels == 1
    gained = positive & candidate & ~other
    lost = positive & other & ~candidate
    return Pairs(int(gained.sum()), int(lost.sum()), int(positive.sum()))


def _design(
    labels: np.ndarray,
    candidate: np.ndarray,
    other: np.ndarray,
    share: float,
    clusters: np.ndarray | None,
) -> Design:
    """How much wider clusters make what is known of the difference.

    `share` is that of positives at the cuts, 0 where no cut moves.
    """
    if clusters is None:
        return INDEPENDENT
    positive = (labels == 1).astype(np.float64)
    apart = candidate.astype(np.float64) - other
    found = float((positive * apart).sum())
    moved = (positive - share) * apart - positive * found / max(float(positive.sum()), 1.0)
    judged = (positive > 0) | (apart != 0) & (share > 0)
    return design_of(moved[judged], clusters[judged])


def at_equal_counts(
    labels: np.ndarray,
    candidate: np.ndarray,
    other: np.ndarray,
    clusters: np.ndarray | None = None,
) -> Pairs:
    """The pairs behind a difference in recall between two models that flag equally many rows.

    As `on_positives`, and with the number of rows that each flags alone. Raises ValueError where
    the numbers of flagged rows differ.
    """
    if candidate.sum() != other.sum():
        raise ValueError(
            f"{int(candidate.sum())} and {int(other.sum())} rows are flagged; equal numbers are"
            " required"
        )
    pairs = replace(_counted(labels, candidate, other), side=int((candidate & ~other).sum()))
    share = pairs.positive_share
    return replace(pairs, design=_design(labels, candidate, other, share, clusters))


def better(pairs: Pairs) -> float:
    """The one-sided p-value that gains outnumber losses: exact, or where rows belong together the
    larger of that and of the score test of their clusters.
    """
    exact = _better_by_rows(pairs)
    if pairs.design.independent:
        return exact
    return max(exact, pairs.design.tail(-_score(pairs, 0.0)))


def _better_by_rows(pairs: Pairs) -> float:
    """The exact one-sided p-value that gains outnumber losses, if rows are independent.

    Where both flag equally many rows, neither being better means that the positives among the rows
    on which they differ fall to either of the two equal sides as lots do: the result is
    P(X >= gained) for X hypergeometric, gained + lost draws without replacement from two sides
    (R. Fisher, The logic of inductive inference, Journal of the Royal Statistical Society 98,
    1935). Otherwise each discordant pair is a gain with probability 1/2, and X is binomial
    (Q. McNemar, Note on the sampling error of the difference between correlated proportions or
    percentages, Psychometrika 12, 1947), which is the limit of the former for large sides.
    """
    if pairs.gained == 0:
        return 1.0
    discordant = pairs.gained + pairs.lost
    if pairs.side is None:
        return float(scipy.stats.binom.sf(pairs.gained - 1, discordant, 0.5))
    tail = scipy.stats.hypergeom.sf(pairs.gained - 1, 2 * pairs.side, discordant, pairs.side)
    return float(tail)


def worse(pairs: Pairs, margin: float) -> float:
    """The one-sided p-value that the difference lies below `-margin`.

    A small one means that it does: `margin` is in the same unit, a share of the rows. It is at most
    the level exactly where the upper limit of `recall_difference` is at most `-margin`.
    """
    return pairs.design.tail(_score(pairs, -margin))


def stays_within(pairs: Pairs, margin: float, level: float) -> bool:
    """Whether the lower limit of `recall_difference`, one-sided at `level`, lies above `-margin`:
    by the test that the limit turns round, which is quicker than to look for the limit.
    """
    return worse(pairs, margin) > 1.0 - level


def recall_difference(pairs: Pairs, level: float) -> Difference:
    """The difference of two recalls, with score limits, each one-sided at `level`, a probability.

    They hold for models that flag equally many rows (`side` is known) and for models that do not,
    as they ship or in a group. Without rows, everything is possible.
    """
    if pairs.rows == 0:
        return Difference(0.0, -1.0, 1.0, level)
    quantile = pairs.design.quantile(level)
    low, high = _limit(pairs, -1.0, quantile), _limit(pairs, 1.0, -quantile)
    return Difference(pairs.difference, low, high, level)


def unit_variance(pairs: Pairs, delta: float) -> float:
    """The variance of gained - lost if the true difference is `delta`, for each row of the pairs.

    1 without rows, which is the largest there is. Among the rows themselves it is Tango's, from the
    most likely share of losses if the difference is `delta`: the root of 2 n q^2 + B q -
    lost d (1 - d) = 0 with B = -gained - lost + (2 n - gained + lost) d (T. Tango, Equivalence test
    and confidence interval for the difference in proportions for the paired-sample design,
    Statistics in Medicine 17, 1998). Where both
    models flag equally many rows, the rest of the rows on which they differ tell the same
    difference once more, and the two are combined. Rows that belong together widen it by their
    design effect.
    """
    if pairs.rows == 0:
        return 1.0
    own, factor = _variance(pairs, delta), pairs.design.factor
    if pairs.rest is None:
        return own / pairs.rows * factor
    rest = _variance_of_rest(pairs, pairs.rest, delta)
    # Of two independent estimates of one number, given that they are equal.
    return own * rest / (own + rest) / pairs.rows * factor if own + rest > 0 else 0.0


def _variance(pairs: Pairs, delta: float) -> float:
    """That of gained - lost by the multinomial distribution of the rows (Tango 1998)."""
    gained, lost, rows = pairs.gained, pairs.lost, pairs.rows
    middle = -gained - lost + (2 * rows - gained + lost) * delta
    # Rounding may make the discriminant of equal roots negative.
    root = math.sqrt(max(0.0, middle**2 + 8 * rows * lost * delta * (1 - delta)))
    return (root - middle) / 2 + rows * delta * (1 - delta)


def _variance_of_rest(pairs: Pairs, rest: int, delta: float) -> float:
    """That of the rows of the rest no longer flagged less those newly flagged, which is
    gained - lost again.

    Both numbers are Poisson. Their sum is the most likely one if their difference is `delta` times
    the rows of the pairs.
    """
    wanted = delta * pairs.rows
    found = pairs.gained - pairs.lost
    root = math.sqrt(max(0.0, rest**2 + 4 * wanted * (wanted - found)))
    return (rest + root) / 2


def _limit(pairs: Pairs, end: float, wanted: float) -> float:
    """The difference between that of the pairs and `end` (-1 or 1) whose statistic is `wanted`.

    `end` itself where the statistic is nowhere so far from zero.
    """
    edge = end * (1 - _EDGE)
    if abs(_score(pairs, edge)) <= abs(wanted):
        return end

    def excess(delta: float) -> float:
        return _score(pairs, delta) - wanted

    return float(scipy.optimize.brentq(excess, edge, pairs.difference))


def _score(pairs: Pairs, delta: float) -> float:
    """The statistic for the hypothesis that the difference is `delta`.

    Standard normal if it is; it falls as `delta` grows. gained - lost is brought nearer to what is
    expected by `CONTINUITY`.
    """
    distance = pairs.gained - pairs.lost - pairs.rows * delta
    nearer = math.copysign(max(abs(distance) - CONTINUITY, 0.0), distance)
    variance = unit_variance(pairs, delta) * pairs.rows
    if variance > 0:
        return nearer / math.sqrt(variance)
    if nearer:
        return math.copysign(math.inf, nearer)
    return 0.0


def mean_difference(
    candidate: np.ndarray, other: np.ndarray, level: float, clusters: np.ndarray | None = None
) -> Difference:
    """The mean of paired differences, candidate minus other, with Student's one-sided limits.

    Both are of shape (rows,) and in one unit, such as squared errors; `clusters` are numbers, equal
    in rows that belong together. Differences that are all equal have no spread: both limits are
    their value.
    """
    differences = candidate - other
    value = float(differences.mean())
    if not np.ptp(differences) > 0:
        return Difference(value, value, value, level)
    if clusters is not None:
        design = design_of(differences - value, clusters)
        error = math.sqrt(float(differences.var(ddof=1)) * design.factor / len(differences))
        reach = design.quantile(level) * error
        return Difference(value, value - reach, value + reach, level)
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
