"""Has the mean recall over several classes fallen below a limit? Evidence for every day of a year.

The evidence is an e-value as in `sluice.monitor.falls`, with the same bets on depths and weeks;
only what a day multiplies a bet by differs. A day gives the mean of the recalls of its classes, m.
Each of its labelled rows moves m by at most one part in (rows of its class times classes), so where
the mean recall is at least c, exp(l (c - m) - l^2 V / 8) is expected to be at most 1, whatever the
recalls of the single classes are; V is the mean of 1 / rows over the classes, divided by their
number (W. Hoeffding, Probability inequalities for sums of bounded random variables, Journal of the
American Statistical Association 58, 1963). The best l for a fall of depth d is 4 d / V, and it is
known before the outcomes of the answers are.

A day on which a class has no labelled row says nothing yet: its rows are put together with those of
the next days, until each class has one.
"""

import numpy as np

from sluice.monitor.falls import capital

_DEPTHS = np.array([0.02, 0.04, 0.06, 0.09, 0.13, 0.2, 0.3])  # of a fall below the limit


def mean_fall_evidence(
    found: np.ndarray, rows: np.ndarray, limit: float | np.ndarray
) -> np.ndarray:
    """The e-value, day by day, that the mean recall is below `limit`.

    `found` and `rows` are counts of each class on each day, shape (days, classes); `limit` has the
    shape (...), and what is given (..., days).
    """
    means, spreads = _blocks(found, rows)
    below = np.asarray(limit, dtype=np.float64)[..., None] - means  # (..., days)
    said = spreads > 0
    spread = np.where(said, spreads, 1.0)[:, None]  # (days, 1)
    gains = 4 * _DEPTHS * below[..., None] / spread - 2 * _DEPTHS**2 / spread
    return capital(np.where(said[:, None], gains, 0.0))


def mean_surely_below(found: np.ndarray, rows: np.ndarray, level: float) -> np.ndarray:
    """By day, the lowest mean recall that the true one is surely below, shape (days,); 1 where
    nothing is sure.
    """
    limits = np.linspace(0.01, 1.0, 100)
    evidence = mean_fall_evidence(found, rows, limits)
    reached = np.maximum.accumulate(evidence, axis=-1) >= 1 / level
    return np.where(reached.any(axis=0), limits[reached.argmax(axis=0)], 1.0)


def _blocks(found: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By day, the mean recall of all rows that wait by then and the V of it, each of shape (days,);
    V is 0 on a day after which they wait on.
    """
    days, classes = rows.shape
    means, spreads = np.zeros(days), np.zeros(days)
    hits, trials = np.zeros(classes), np.zeros(classes)
    for day in range(days):
        hits, trials = hits + found[day], trials + rows[day]
        if classes and (trials > 0).all():
            means[day] = float((hits / trials).mean())
            spreads[day] = float((1 / trials).mean() / classes)
            hits, trials = np.zeros(classes), np.zeros(classes)
    return means, spreads
