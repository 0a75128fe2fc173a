"""Two models of several classes on the same rows: how far apart in mean recall, how surely.

The unit is a row, and its class is fixed: for each class there is one table of the rows that only
the one model answers rightly, and of those that only the other does. The difference of the mean
recalls is the mean of the differences of the classes. Its limits add up those of the classes
(`sluice.model.classes.recall`); the test of a gain is exact where rows are independent.
docs/statistics.md derives both and has their coverage.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate.paired import CONTINUITY, Difference, Pairs, recall_difference
from sluice.model.classes.recall import mean_of, moved
from sluice.model.quality.clusters import INDEPENDENT, Design, design_of

_NEAREST = 1e-15  # to which a convolution by Fourier transforms is exact
_GRID = 4096  # steps of the widest class, on which the exact distribution is worked out


@dataclass(frozen=True)
class Tables:
    """The paired answers of each class that has rows, and the design effect of their mean."""

    pairs: tuple[Pairs, ...]
    design: Design = INDEPENDENT

    @property
    def difference(self) -> float:
        """The mean recall of the candidate less that of the other."""
        if not self.pairs:
            return 0.0
        return sum(pairs.difference for pairs in self.pairs) / len(self.pairs)

    @property
    def gained(self) -> int:
        """Rows that only the candidate answers rightly."""
        return sum(pairs.gained for pairs in self.pairs)

    @property
    def lost(self) -> int:
        """Rows that only the other answers rightly."""
        return sum(pairs.lost for pairs in self.pairs)

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(pairs.rows for pairs in self.pairs)


def tables_of(
    labels: np.ndarray,
    candidate: np.ndarray,
    other: np.ndarray,
    clusters: np.ndarray | None = None,
) -> Tables:
    """The tables behind a difference in mean recall.

    `labels`, `candidate` and `other` are places of classes: the true ones and those answered;
    `clusters` are numbers, equal in rows that belong together. All of shape (rows,).
    """
    mine, theirs = candidate == labels, other == labels
    pairs = []
    for place in np.unique(labels):
        of = labels == place
        pairs.append(
            Pairs(int((of & mine & ~theirs).sum()), int((of & theirs & ~mine).sum()), int(of.sum()))
        )
    if clusters is None:
        return Tables(tuple(pairs))
    steps = mine.astype(np.float64) - theirs
    return Tables(tuple(pairs), design_of(moved(labels, steps), clusters))


def difference_of(tables: Tables, level: float) -> Difference:
    """The difference of two mean recalls, with limits that are each one-sided at `level`."""
    parts = []
    for pairs in tables.pairs:
        one = recall_difference(pairs, level)
        parts.append((one.value, one.low, one.high))
    mean = mean_of(parts, level, tables.design)
    return Difference(mean.value, max(mean.low, -1.0), min(mean.high, 1.0), level)


def better(tables: Tables) -> float:
    """The one-sided p-value of a gain in mean recall: exact, or where rows belong together the
    larger of that and of the test by the design effect of the mean.
    """
    exact = _better_by_rows(tables)
    if tables.design.independent:
        return exact
    return max(exact, tables.design.tail(-_standard_errors(tables)))


def _better_by_rows(tables: Tables) -> float:
    """The exact one-sided p-value, if rows are independent.

    If neither model is better in any class, each row on which they differ is a gain or a loss with
    probability 1/2: McNemar's test, class by class. What is summed are gains less losses, each
    divided by the rows of its class. The distribution of a sum is the convolution of those of its
    parts; these lie on a common grid, each point moved up to the next one, so that the p-value is
    never too small.
    """
    weighed = [(1.0 / pairs.rows, pairs) for pairs in tables.pairs if pairs.gained + pairs.lost]
    if not weighed or tables.difference <= 0:
        return 1.0
    width = max(step * (pairs.gained + pairs.lost) for step, pairs in weighed) / _GRID
    reached, mass = 0, np.ones(1)
    least = 0  # of the grid: the place of the first entry of `mass`
    for step, pairs in weighed:
        discordant = pairs.gained + pairs.lost
        values = (2 * np.arange(discordant + 1) - discordant) * step
        places = np.ceil(values / width - 1e-9).astype(np.int64)
        part = np.bincount(
            places - places[0],
            weights=scipy.stats.binom.pmf(np.arange(discordant + 1), discordant, 0.5),
        )
        mass = scipy.signal.fftconvolve(mass, part)
        least += int(places[0])
        reached += int(places[pairs.gained])
    return float(min(max(mass[reached - least :].sum(), _NEAREST), 1.0))


def _standard_errors(tables: Tables) -> float:
    """How many standard errors the gain is above none, brought a part of a row nearer to it."""
    discordant = [(pairs.gained + pairs.lost, pairs.rows) for pairs in tables.pairs]
    spread = math.sqrt(sum(many / rows**2 for many, rows in discordant) * tables.design.factor)
    if not spread > 0:
        return 0.0
    gain = sum((pairs.gained - pairs.lost) / pairs.rows for pairs in tables.pairs)
    nearest = CONTINUITY * min(1.0 / rows for many, rows in discordant if many)
    return max(gain - nearest, 0.0) / spread
