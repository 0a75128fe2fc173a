"""A use that goes on: the same model and champion, looked at again on more labelled rows.

The evidence is an e-value, which at any look exceeds 1 / level with a probability of at most the
level if neither model is better, so it may be looked at as often as labels come in. It is a ratio
of likelihoods of the whole table that lies there now: docs/statistics.md derives it. Nothing of
earlier looks has to be known, except that their rows are still there.
"""

import math

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate.paired import Pairs


def log_e_value(pairs: Pairs, gain: float) -> float:
    """The natural logarithm of the e-value that the candidate is better, against a gain of `gain`.

    `gain` is a share of the rows of the pairs, above 0. Given both sides and the number of
    positives in them, the gained ones are hypergeometric if neither is better, and those of a
    better model are more likely by a factor for each: the e-value is that factor, so often as was
    gained, over its mean (R. Fisher, The logic of inductive inference, Journal of the Royal
    Statistical Society 98, 1935). Its mean is 1 if neither is better. Raises ValueError where the
    two models flag different numbers of rows.
    """
    if pairs.side is None:
        raise ValueError("two models flag different numbers of rows; equal numbers are required")
    discordant = pairs.gained + pairs.lost
    spread = _spread(pairs.side, discordant)
    if spread <= 0.0:
        return 0.0  # every table of these margins is this one
    # Twice, because one more gained is one fewer lost.
    tilt = 2.0 * gain * pairs.rows / spread
    fewest = max(0, discordant - pairs.side)
    counts = np.arange(fewest, min(discordant, pairs.side) + 1)
    chances = scipy.stats.hypergeom.logpmf(counts, 2 * pairs.side, discordant, pairs.side)
    # Counted from what was gained, so that no exponential is too large.
    return -float(scipy.special.logsumexp(chances + tilt * (counts - pairs.gained)))


def rows_needed(pairs: Pairs, gain: float, level: float) -> int | None:
    """How many rows like these the e-value needs to reach 1 / `level`, if the difference stays.

    None where it never does: the candidate is ahead by less than half of `gain`.
    """
    reached = log_e_value(pairs, gain)
    if reached <= 0.0:
        return None
    return math.ceil(pairs.rows * -math.log(level) / reached)


def _spread(side: int, discordant: int) -> float:
    """The variance of gained - lost given the margins of the table, if neither is better."""
    if side == 0:
        return 0.0
    return discordant * (2 * side - discordant) / (2 * side - 1)
