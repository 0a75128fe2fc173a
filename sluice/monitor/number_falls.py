"""Is what answers are off by more than a limit allows? Evidence for every day of a year.

The evidence is an e-value as in `sluice.monitor.falls`. Where the mean of z is at most 0 and no z
lies below -b, 1 + s z is expected to be at most 1 for each stake s = a / b with a below 1, however
far z goes up; and exp(s z + p (s z)^2) is never more than that, with p = (log(1 - a) + a) / a^2,
because (log(1 + x) - x) / x^2 rises with x (X. Fan, I. Grama, Q. Liu, Exponential inequalities for
martingales with applications, Electronic Journal of Probability 20, 2015). So two sums of a day are
enough, nothing is rounded, and no shape of the errors is assumed: one row that is far off makes the
evidence smaller, and many that are a little further off make it larger.

A mean absolute error e is at most L where the mean of z = e - L is at most 0, and b is L. A skill
is at least c where the mean of z = e - (1 - c) d is at most 0: d is how far the median of the
training rows is off, at most its distance M from the further end of the plausible range, and b is
(1 - c) M.
"""

from dataclasses import dataclass

import numpy as np

from sluice.monitor.falls import capital

_STAKES = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8])  # shares of the largest one
_PRICES = (np.log1p(-_STAKES) + _STAKES) / _STAKES**2  # of a squared gain, each below 0
_LEAST = 1e-12


@dataclass(frozen=True)
class Off:
    """Days in sums over their rows, each of shape (..., days): how many these are, what answers and
    median are off by, the squares of both, and their product. All in the unit of the target.
    """

    rows: np.ndarray
    off: np.ndarray
    squares: np.ndarray
    nothing: np.ndarray
    nothing_squares: np.ndarray
    products: np.ndarray


def error_evidence(days: Off, limit: float) -> np.ndarray:
    """The e-value, day by day, that the mean absolute error is above `limit`, shape (..., days)."""
    bar = max(limit, _LEAST)
    sums = days.off - bar * days.rows
    squares = days.squares - 2 * bar * days.off + bar**2 * days.rows
    return _evidence(sums, squares, np.asarray(bar))


def skill_evidence(days: Off, limit: float | np.ndarray, reach: float) -> np.ndarray:
    """The e-value, day by day, that the skill is below `limit`, which has the shape (...) or is one
    number; what is given has (..., days). `reach` is as far as the median can be off.
    """
    left = 1 - np.asarray(limit, dtype=np.float64)[..., None]  # of what the median is off
    sums = days.off - left * days.nothing
    squares = days.squares - 2 * left * days.products + left**2 * days.nothing_squares
    return _evidence(sums, squares, np.maximum(left * reach, _LEAST))


def skill_surely_below(days: Off, reach: float, level: float) -> np.ndarray:
    """By day, the lowest skill that the true one is surely below, shape (days,); 1 where nothing is
    sure. It is the smallest limit, of hundred, against which the evidence ever reached 1 / level.
    """
    limits = np.linspace(0.0, 0.99, 100)
    evidence = skill_evidence(days, limits, reach)
    reached = np.maximum.accumulate(evidence, axis=-1) >= 1 / level
    return np.where(reached.any(axis=0), limits[reached.argmax(axis=0)], 1.0)


def _evidence(sums: np.ndarray, squares: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """From the sums of z and of its square, each of shape (..., days), and what z never lies below,
    with its sign turned.
    """
    stakes = _STAKES / bounds[..., None]
    gains = stakes * sums[..., None] + _PRICES * stakes**2 * np.maximum(squares, 0.0)[..., None]
    return capital(gains)
