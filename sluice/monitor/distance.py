"""How far the counts of a column are from others: effect sizes, with what chance alone makes.

The population stability index of counts that come from one and the same column is not 0 but about
(bins - 1) (1/n + 1/m) for n and m rows. Of what is found, that is taken away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

_FEWEST = 5.0  # rows that a bin is expected to have, below which bins are pooled
_HALF = 0.5  # of a row, added to each bin: no share is 0


@dataclass(frozen=True)
class Distance:
    """The distance of two histograms.

    psi            the population stability index, `noise` the one that chance alone makes
    jensen_shannon between 0 and 1
    ks             the largest distance of the two distribution functions; 0 where the bins have no
                   order
    p_value        of the chi-square test that both come from one column
    """

    psi: float
    noise: float
    jensen_shannon: float
    ks: float
    p_value: float

    @property
    def effect(self) -> float:
        """The PSI without what chance makes of it."""
        return max(self.psi - self.noise, 0.0)


NO_DISTANCE = Distance(0.0, 0.0, 0.0, 0.0, 1.0)


def distance(before: Sequence[int], after: Sequence[int], *, ordered: bool) -> Distance:
    """The distance of two histograms of the same bins; none where one of them is empty."""
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    rows_before, rows_after = first.sum(), second.sum()
    if not rows_before or not rows_after or len(first) < 2:
        return NO_DISTANCE
    old = (first + _HALF) / (rows_before + _HALF * len(first))
    new = (second + _HALF) / (rows_after + _HALF * len(first))
    middle = (old + new) / 2
    divergence = (old * np.log2(old / middle) + new * np.log2(new / middle)).sum() / 2
    steps = np.abs(np.cumsum(first / rows_before - second / rows_after)).max() if ordered else 0.0
    return Distance(
        psi=float(((new - old) * np.log(new / old)).sum()),
        noise=float((len(first) - 1) * (1 / rows_before + 1 / rows_after)),
        jensen_shannon=float(max(divergence, 0.0)),
        ks=float(steps),
        p_value=_chi_square(first, second),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values as they count where all of these are looked at (S. Holm, 1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(p_values[place] * (len(p_values) - rank), 1.0))
        adjusted[place] = largest
    return adjusted


def share_p_value(first: int, of_first: int, second: int, of_second: int) -> float:
    """Two-sided, that two shares are one and the same; 1 where one of them counts nothing."""
    if not of_first or not of_second:
        return 1.0
    pooled = (first + second) / (of_first + of_second)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / of_first + 1 / of_second))
    if spread == 0:
        return 1.0
    gap = abs(first / of_first - second / of_second)
    return float(2 * scipy.stats.norm.sf(gap / spread))


def _chi_square(first: np.ndarray, second: np.ndarray) -> float:
    """Of two histograms whose small bins are pooled."""
    pooled = first + second
    small = pooled * min(first.sum(), second.sum()) / pooled.sum() < _FEWEST
    table = np.stack([first[~small], second[~small]])
    rest = np.array([[first[small].sum()], [second[small].sum()]])
    if rest.sum():
        table = np.hstack([table, rest])
    if table.shape[1] < 2:
        return 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum()
    return float(scipy.stats.chi2.sf(statistic, table.shape[1] - 1))
