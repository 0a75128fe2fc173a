"""How surely a ratio of two sums over rows is known: by drawing the rows again.

A mean absolute error, a bias, a skill, and the difference of two skills are all ratios of a sum
over the rows to another one. Their limits are those of a bootstrap in units of standard errors
(B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 12), their test
turns the signs of differences around (R. Fisher, The Design of Experiments, 1935). What is drawn
are rows, or groups of rows that belong together; where there are more than UNITS, they are joined
by lots first. Chance is seeded and draws are counted, so equal rows have equal limits anywhere.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

UNITS = 1_000  # what is drawn at most: more of them tell no more of the spread
DRAWS = 4_000
FLIPS = 10_000  # of signs
_AT_ONCE = 500  # of these
_SEED = 20_261
_FEWEST = 5  # units: from fewer no spread is known


@dataclass(frozen=True)
class Limits:
    """A value with its two limits, each one-sided at the level that was asked for."""

    value: float
    low: float
    high: float


def limits_of(
    tops: np.ndarray, bottoms: np.ndarray, level: float, clusters: np.ndarray | None = None
) -> Limits:
    """The sum of `tops` over that of `bottoms`, both of shape (rows,); `clusters` are numbers,
    equal in rows that belong together.

    Where nothing varies, both limits are the value; of too few units they are endless, and so they
    are where there is nothing to divide by.
    """
    if not bottoms.sum() > 0:
        return Limits(0.0, -np.inf, np.inf)
    value = float(tops.sum() / bottoms.sum())
    above, below = _units(tops, clusters), _units(bottoms, clusters)
    error = _error(above, below, value)
    if len(above) < _FEWEST:
        return Limits(value, -np.inf, np.inf)
    if not error > 1e-12 * max(abs(value), 1e-12):
        return Limits(value, value, value)
    steps = _drawn(above, below, value)
    least, most = np.quantile(steps, [level, 1.0 - level])
    return Limits(value, value - float(most) * error, value - float(least) * error)


def gain_p_value(gains: np.ndarray, clusters: np.ndarray | None = None) -> float:
    """The one-sided p-value of a sum above 0 of what each row gains, shape (rows,): how often it is
    as large where the sign of each is drawn by lots.

    What is rarer than so many draws can tell has the bound of Hoeffding for such sums (W.
    Hoeffding, Probability inequalities for sums of bounded random variables, Journal of the
    American Statistical Association 58, 1963), which later uses of a holdout need.
    """
    units = _units(gains, clusters)
    total = float(units.sum())
    if not total > 0:
        return 1.0
    chance = np.random.default_rng(_SEED)
    reached = 0
    for _ in range(FLIPS // _AT_ONCE):
        signs = chance.integers(0, 2, (_AT_ONCE, len(units)), dtype=np.int8)
        # A sum of as many of them, within rounding, is as large.
        reached += int(((2.0 * signs - 1.0) @ units >= total * (1 - 1e-12)).sum())
    bound = float(np.exp(-(total**2) / (2.0 * float((units**2).sum()))))
    return min((1 + reached) / (1 + FLIPS), bound)


def _units(values: np.ndarray, clusters: np.ndarray | None) -> np.ndarray:
    """The sums of what is drawn as one, shape (units,)."""
    sums = values if clusters is None else np.bincount(clusters, weights=values)
    if len(sums) <= UNITS:
        return np.asarray(sums, dtype=np.float64)
    places = np.random.default_rng(_SEED).permutation(len(sums)) % UNITS
    return np.bincount(places, weights=sums, minlength=UNITS)


def _error(above: np.ndarray, below: np.ndarray, value: float) -> float:
    """The standard error of a ratio of sums over units."""
    return float(np.sqrt(((above - value * below) ** 2).sum()) / below.sum())


def _drawn(above: np.ndarray, below: np.ndarray, value: float) -> np.ndarray:
    """How many of its own standard errors each draw lies above the value, shape (draws,)."""
    times = _times(len(above))
    wholes = times @ below
    sound = wholes > 0
    wholes = np.where(sound, wholes, 1.0)
    found = (times @ above) / wholes
    squares = (
        times @ above**2 - 2 * found * (times @ (above * below)) + found**2 * (times @ below**2)
    )
    errors = np.sqrt(np.maximum(squares, 0.0)) / wholes
    sound &= errors > 0
    return np.where(sound, (found - value) / np.where(sound, errors, 1.0), 0.0)


@lru_cache(maxsize=4)
def _times(units: int) -> np.ndarray:
    """How often each unit is in each draw, shape (draws, units); always the same."""
    chance = np.random.default_rng([_SEED, units])
    return chance.multinomial(units, np.full(units, 1 / units), size=DRAWS).astype(np.float64)
