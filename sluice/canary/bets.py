"""Evidence that may be looked at as often as wanted: bets against a limit that a difference keeps.

A bet multiplies what it has by the ratio of two likelihoods, block after block. While the limit is
kept, it has on average at most what it began with, whatever happened before; so it reaches 1/level
at any look with a chance of at most `level`. The ratio is that of Turner, Ly and Gruenwald
(arXiv 2106.02693, 2203.09785): what is bet on was chosen before the block, and it is divided by the
pair of shares within the limit that is nearest to it. It is exact: no number of rows is too small.
"""

import numpy as np
from scipy.special import betaln, logsumexp

# How far beyond the limit the canary may be: each has a part of the bet, so none must be guessed.
SHIFTS = np.array([0.05, 0.1, 0.2, 0.4])
_EDGE = 0.001  # no share is bet to be nearer to 0 or 1
_LEAST = 1e-9  # no share that is refuted is nearer to 0
_HALVINGS = 40
_FEW = 20  # rows of stable that say what is usual
_SPLIT_WEIGHT = 100.0  # how closely around its weight a split is expected that is off


def log_bets(
    canary: np.ndarray,
    of_canary: np.ndarray,
    stable: np.ndarray,
    of_stable: np.ndarray,
    limit: float | np.ndarray,
    usual: tuple[float, float] | None = None,
    alone: float | None = None,
    late: bool = False,
) -> np.ndarray:
    """Evidence that the share of the canary is more than `limit` above that of stable.

    Counts have the shape (..., blocks): `canary` of `of_canary` rows, `stable` of `of_stable`.
    `limit` may be negative, and have the shape (..., 1). Return the natural logarithm of what the
    bets have after each block, shape (..., blocks).

    What is usual in stable is learnt from the blocks before; until 20 rows are known nothing is
    bet, unless `usual` is a share and how many rows it is worth. In a block without stable rows
    nothing is bet either, unless `alone` is the share that the canary must keep by itself. With
    `late` half of what is there is bet anew from later blocks on, for a canary that turns bad after
    a long time of being good.
    """
    share, weight = usual or (0.5, 1.0)
    before, of_before = _before(stable), _before(of_stable)
    usually = np.clip((before + share * weight) / (of_before + weight), _EDGE, 1 - _EDGE)
    known = (of_before >= _FEW) | (usual is not None)
    # One more axis in front of the blocks: the shifts.
    near, rows1, rows0 = usually[..., None, :], of_canary[..., None, :], of_stable[..., None, :]
    bound = np.asarray(limit, dtype=np.float64)[..., None]
    far = np.clip(near + bound + SHIFTS[:, None], _EDGE, 1 - _EDGE)
    low = near + bound
    possible = known[..., None, :] & (low < far)
    middle = _nearest(near, far, bound, rows1, rows0)
    other = np.where(possible & (rows0 > 0), middle - bound, near)
    # Far equals far: nothing is bet where there is nothing to be nearest to.
    middle = np.where(possible & (rows0 > 0), middle, far)
    if alone is not None:
        single = possible & (rows0 == 0) & (far > alone)
        middle = np.where(single, alone, middle)
    gains = _gain(canary[..., None, :], rows1, far, middle)
    gains = gains + _gain(stable[..., None, :], rows0, near, other)
    return _wealth(gains, late=late)


def log_bets_below(
    canary: np.ndarray,
    of_canary: np.ndarray,
    stable: np.ndarray,
    of_stable: np.ndarray,
    limit: float | np.ndarray,
) -> np.ndarray:
    """Evidence that the share of the canary, less that of stable, is below `limit`; as above."""
    return log_bets(of_canary - canary, of_canary, of_stable - stable, of_stable, -limit)


def log_bets_over(count: np.ndarray, of: np.ndarray, ceiling: float) -> np.ndarray:
    """Evidence that a share is above a ceiling, from some block on; shapes as above."""
    far = np.clip(ceiling + SHIFTS[:, None], _EDGE, 1 - _EDGE)
    gains = _gain(count[..., None, :], of[..., None, :], far, np.full_like(far, ceiling))
    return _wealth(gains, late=True)


def log_split(canary: int, stable: int, weight: float) -> float:
    """Evidence in one block that requests are not split by `weight`, the share of the canary.

    The ratio of Lindon and Malek (arXiv 2011.03567): any split, by a Dirichlet prior around the
    weight, against that weight.
    """
    one, other = _SPLIT_WEIGHT * weight, _SPLIT_WEIGHT * (1.0 - weight)
    any_split = betaln(canary + one, stable + other) - betaln(one, other)
    return float(any_split - canary * np.log(weight) - stable * np.log1p(-weight))


def together(parts: np.ndarray) -> np.ndarray:
    """Evidence against limits that are kept together: the mean over the first axis."""
    return np.asarray(logsumexp(parts, axis=0)) - np.log(len(parts))


def _wealth(gains: np.ndarray, *, late: bool) -> np.ndarray:
    """What all bets together have after each block; `gains` has the shape (..., shifts, blocks).

    Bets that begin late have 1/2 of what is there in all, the one that begins with block j (from
    0 on) 1 / (2 j (j + 1)) of it; until then it lies idle, and is counted.
    """
    total: np.ndarray = np.cumsum(gains, axis=-1)
    if late:
        wealth = np.full(gains.shape[:-1], -np.inf)
        for block in range(gains.shape[-1]):
            part = 0.5 / (block * (block + 1)) if block else 0.5
            wealth = np.logaddexp(wealth, np.log(part)) + gains[..., block]
            total[..., block] = np.logaddexp(wealth, np.log(0.5 / (block + 1)))
    return np.asarray(logsumexp(total, axis=-2)) - np.log(len(SHIFTS))


def _before(counts: np.ndarray) -> np.ndarray:
    """The sums of all blocks before each block."""
    sums = np.cumsum(counts, axis=-1)
    return np.asarray(sums - counts, dtype=np.float64)


def _nearest(
    near: np.ndarray, far: np.ndarray, bound: np.ndarray, rows1: np.ndarray, rows0: np.ndarray
) -> np.ndarray:
    """The share of the canary of the pair within the limit that is nearest to what is bet on.

    It lies between `near + bound` and `far`, where the slope of the likelihood changes its sign.
    """
    low = np.clip(near + bound, _LEAST, 1 - _EDGE / 2)
    low, high = np.broadcast_arrays(low, np.maximum(far, low))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        other = np.clip(middle - bound, _EDGE / 4, 1 - _EDGE / 4)
        slope = rows1 * (far - middle) / (middle * (1.0 - middle))
        slope = slope + rows0 * (near - other) / (other * (1.0 - other))
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    return np.asarray((low + high) / 2.0)


def _gain(count: np.ndarray, of: np.ndarray, bet: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """The logarithm of how likely counts are by one share, over how likely by the other."""
    inside = count * np.log(bet / limit) + (of - count) * np.log1p(-bet)
    return np.asarray(inside - (of - count) * np.log1p(-limit))
