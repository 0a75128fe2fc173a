"""Has recall fallen, where only some rows have a label and every row has a score?

The labels are those of rows drawn by lot. What the scores of these rows say is known of all rows of
the same day, too; so only the part of the outcomes that the scores do not explain is left to chance
(A. Angelopoulos and others, Prediction-powered inference, Science 382, 2023; with a weight for the
scores as in PPI++, 2311.01453). The scores need not be right: of wrong ones the weight is small,
and the mean is that of the labels all the same.

Recall is at least a limit c where the mean of Y (F - c) over all rows is at least 0: Y is the
outcome, F whether the row was flagged. Each day gives one estimate of that mean, and the bets of
`sluice.monitor.falls` are placed on it; its spread is that of the days before. So the level holds
where days are many and none of them decides alone.
"""

from dataclasses import dataclass

import numpy as np

from sluice.monitor.day import SCORE_BINS
from sluice.monitor.falls import capital

_MIDDLES = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
_DEPTHS = np.array([0.02, 0.04, 0.06, 0.09, 0.13])  # of a fall below the limit
_PRIOR_ROWS, _PRIOR_SPREAD = 20.0, 0.25  # what is known before the first label: nothing
_FEWEST = 50  # labelled rows before which the scores have no weight
_HEAVIEST = 2.0  # weight of the scores; 1 where these are right
_LEAST = 1e-12


@dataclass(frozen=True)
class Scored:
    """Days in counts: positives that were flagged and that were not, shape (..., days); the scores
    of the positives, of the labelled and of all rows in bins, shape (..., days, bins).
    """

    found: np.ndarray
    missed: np.ndarray
    positives: np.ndarray
    labelled: np.ndarray
    everyone: np.ndarray
    threshold: float


@dataclass(frozen=True)
class _Means:
    """Of each day: labelled and all rows, sums over the labelled ones of Z = Y (F - c), of g, which
    the scores say of it, and of their products; sums of g and its square over all rows.
    """

    rows: np.ndarray
    all_rows: np.ndarray
    z: np.ndarray
    zz: np.ndarray
    g: np.ndarray
    zg: np.ndarray
    all_g: np.ndarray
    all_gg: np.ndarray


def powered_evidence(days: Scored, limit: float) -> np.ndarray:
    """The e-value, day by day, that recall is below `limit`, shape (..., days)."""
    sums = _sums(days, limit)
    before = _Means(*(_before(values) for values in vars(sums).values()))
    rows, everyone = before.rows + _PRIOR_ROWS, np.maximum(before.all_rows, 1)
    var_g = np.maximum(before.all_gg / everyone - (before.all_g / everyone) ** 2, _LEAST)
    mean_z = before.z / np.maximum(before.rows, 1)
    mean_g = before.g / np.maximum(before.rows, 1)
    spread = (before.zz - before.rows * mean_z**2 + _PRIOR_ROWS * _PRIOR_SPREAD) / rows
    shared = (before.zg - before.rows * mean_z * mean_g) / rows
    weight = np.clip(np.where(before.rows >= _FEWEST, shared / var_g, 0.0), 0.0, _HEAVIEST)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = sums.z / sums.rows - weight * (sums.g / sums.rows - sums.all_g / sums.all_rows)
        # Of a mean of some rows less the same of all rows that these are a part of.
        noise = spread / sums.rows + (weight**2 * var_g - 2 * weight * shared) * (
            1 / sums.rows - 1 / sums.all_rows
        )
    noise = np.maximum(noise, _LEAST)
    positives = (_before(days.found + days.missed) + 1) / (before.rows + 2)
    bets = positives[..., None] * _DEPTHS / noise[..., None]
    gains = -bets * estimate[..., None] - bets**2 * noise[..., None] / 2
    return capital(np.where(sums.rows[..., None] > 0, gains, 0.0))


def explained(days: Scored, limit: float) -> float:
    """The share of the spread of the outcomes, as recall counts them, that the scores explain: what
    a label less costs. 0 without labels.
    """
    sums = _sums(days, limit)
    rows, everyone = sums.rows.sum(), sums.all_rows.sum()
    if not rows or not everyone:
        return 0.0
    var_g = sums.all_gg.sum() / everyone - (sums.all_g.sum() / everyone) ** 2
    spread = sums.zz.sum() / rows - (sums.z.sum() / rows) ** 2
    shared = sums.zg.sum() / rows - sums.z.sum() * sums.g.sum() / rows**2
    return float(shared**2 / max(var_g * spread, _LEAST))


def surely_below(days: Scored, level: float) -> np.ndarray:
    """By day, the lowest recall that the true one is surely below, shape (days,); 1 where nothing
    is sure.
    """
    limits = np.linspace(0.02, 1.0, 50)
    reached = [
        np.maximum.accumulate(powered_evidence(days, limit)) >= 1 / level for limit in limits
    ]
    seen = np.array(reached)
    return np.where(seen.any(axis=0), limits[seen.argmax(axis=0)], 1.0)


def _sums(days: Scored, limit: float) -> _Means:
    # The bin that the threshold lies in is flagged in part. That the scores say so of labelled and
    # of all rows alike is all that is needed.
    flagged = np.clip(np.arange(SCORE_BINS) + 1 - days.threshold * SCORE_BINS, 0, 1)
    says = _MIDDLES * (flagged - limit)
    return _Means(
        rows=days.labelled.sum(axis=-1),
        all_rows=days.everyone.sum(axis=-1),
        z=days.found * (1 - limit) - days.missed * limit,
        zz=days.found * (1 - limit) ** 2 + days.missed * limit**2,
        g=days.labelled @ says,
        zg=days.positives @ (says * (flagged - limit)),
        all_g=days.everyone @ says,
        all_gg=days.everyone @ says**2,
    )


def _before(values: np.ndarray) -> np.ndarray:
    """The sum over the days before each day."""
    return np.cumsum(values, axis=-1) - values
