"""Has a share fallen below a limit? Evidence that may be looked at every day of a year.

The evidence is an e-value: if the share never falls below the limit, it ever reaches 1 / level with
a probability of at most the level, however often and whenever it is looked at (J. Ville, 1939).
It bets on several depths of the fall and on each week as the one in which it began, so an old good
year does not hide a new fall: a mixture of likelihood ratios, with a 52nd of the stake for each
week. Bernoulli counts are judged by their exact likelihood; a loss between 0 and 1 by the capital
of somebody who bets on it (I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables
by betting, Journal of the Royal Statistical Society B 86, 2024).
"""

import numpy as np

WEEKS = 52  # of a year, for which the level holds
DAYS = 7 * WEEKS
_DEPTHS = np.array([0.02, 0.04, 0.06, 0.09, 0.13, 0.2, 0.3])  # of a fall below the limit
_STAKES = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8])  # on a loss, as shares of the largest one
_LARGEST = 1e250  # capital, beyond which nothing changes
_LEAST = 1e-6  # a share that is as good as 0


def fall_evidence(hits: np.ndarray, trials: np.ndarray, limit: float | np.ndarray) -> np.ndarray:
    """The e-value, day by day, that the share of hits is below `limit`.

    `hits` and `trials` are counts of each day, shape (..., days); `limit` has the shape (...). The
    days of one year: no fall is looked for that begins after WEEKS weeks.
    """
    bar = np.clip(np.asarray(limit, dtype=np.float64)[..., None, None], _LEAST, 1 - _LEAST)
    depths = np.maximum(bar - _DEPTHS, bar / 2)
    gained = hits[..., None] * np.log(depths / bar)
    lost = (trials - hits)[..., None] * np.log((1 - depths) / (1 - bar))
    return capital(gained + lost)


def loss_evidence(losses: np.ndarray, counts: np.ndarray, limit: float) -> np.ndarray:
    """The e-value, day by day, that the mean loss is above `limit`.

    `losses` are the values that a loss can have, between 0 and 1, shape (values,); `counts` says
    how often each was seen on each day, shape (..., days, values).
    """
    stakes = _STAKES / max(limit, _LEAST)
    gains = np.log1p(stakes * (losses[:, None] - limit))  # (values, stakes)
    return capital(counts @ gains)


def capital(gains: np.ndarray) -> np.ndarray:
    """The capital after each day of everybody who bets, shape (..., days); `gains` are the
    logarithms of what each bet multiplies it by on a day, shape (..., days, bets).
    """
    *streams, days, bets = gains.shape
    held = np.zeros((*streams, bets))
    capital = np.empty((*streams, days))
    waiting = 1.0
    for day in range(days):
        if day % 7 == 0 and day < DAYS:
            held += 1 / WEEKS / bets
            waiting = max(waiting - 1 / WEEKS, 0.0)
        with np.errstate(over="ignore"):
            held = np.minimum(held * np.exp(gains[..., day, :]), _LARGEST)
        capital[..., day] = held.sum(axis=-1) + waiting
    return capital


def surely_below(hits: np.ndarray, trials: np.ndarray, level: float) -> np.ndarray:
    """By day, the lowest share that the true one is surely below, shape (days,); 1 where nothing
    is sure.

    It is the smallest limit, of hundred, against which the evidence has ever reached 1 / level.
    """
    limits = np.linspace(0.01, 1.0, 100)
    shape = (len(limits), len(hits))
    evidence = fall_evidence(np.broadcast_to(hits, shape), np.broadcast_to(trials, shape), limits)
    reached = np.maximum.accumulate(evidence, axis=-1) >= 1 / level
    return np.where(reached.any(axis=0), limits[reached.argmax(axis=0)], 1.0)
