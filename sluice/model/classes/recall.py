"""The mean recall over several classes, and how surely it is known.

A mean over K classes has the limits that those of its parts give (G. Zou and A. Donner,
Construction of confidence limits about effect measures: a general approach, Statistics in Medicine
27, 2008): each class is a sample of its own, so what its own limit lies away from its own recall
adds up by squares. Where rows belong together, the whole is widened by the design effect of the
mean. docs/statistics.md has it, with the coverage.

The upper limit of a mean recall has two more parts, because near a recall of 1 a class that misses
nothing has no way up, and those that miss something look worse than they are. A class has the
exact limit of Clopper and Pearson there, and the sum of what is missed the limit of a gamma
distribution of its mean and variance (M. Fay and E. Feuer, Confidence intervals for directly
standardized rates, Statistics in Medicine 16, 1997). The upper one of both counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.model.quality.clusters import INDEPENDENT, Design, design_of
from sluice.model.quality.statistics import wilson_low

Limits = tuple[float, float, float]  # value, lower limit, upper limit


@dataclass(frozen=True)
class Mean:
    """A mean over classes with its two one-sided limits."""

    value: float
    low: float
    high: float


def mean_of(parts: Sequence[Limits], level: float, design: Design = INDEPENDENT) -> Mean:
    """The mean of independent parts, from the limits of each at the same level."""
    if not parts:
        return Mean(0.0, -1.0, 1.0)
    values, lows, highs = (np.array(column) for column in zip(*parts, strict=True))
    value, wider = float(values.mean()), _wider(design, level)
    below = wider * math.sqrt(float(((values - lows) ** 2).sum())) / len(parts)
    above = wider * math.sqrt(float(((highs - values) ** 2).sum())) / len(parts)
    return Mean(value, value - below, value + above)


def mean_recall(
    labels: np.ndarray, answered: np.ndarray, level: float, clusters: np.ndarray | None = None
) -> Mean:
    """The mean recall over the classes that have rows, each limit one-sided at `level`.

    `labels` and `answered` are places of classes, `clusters` numbers that are equal in rows that
    belong together; all of shape (rows,).
    """
    places = np.unique(labels)
    rows = np.array([int((labels == place).sum()) for place in places])
    found = np.array([int(((labels == place) & (answered == place)).sum()) for place in places])
    parts = [
        (hits / trials, wilson_low(int(hits), int(trials), level), exact_high(hits, trials, level))
        for hits, trials in zip(found, rows, strict=True)
    ]
    design = design_of(moved(labels, (answered == labels).astype(np.float64)), clusters)
    mean = mean_of(parts, level, design)
    above = _wider(design, level) * (_missed_high(found, rows, level) - mean.value)
    high = max(mean.high, mean.value + above)
    return Mean(mean.value, max(mean.low, 0.0), min(high, 1.0))


def exact_high(hits: int, trials: int, level: float) -> float:
    """The upper limit of Clopper and Pearson, one-sided at `level`."""
    return 1.0 if hits >= trials else float(scipy.stats.beta.isf(level, hits + 1, trials - hits))


def _missed_high(found: np.ndarray, rows: np.ndarray, level: float) -> float:
    """What a mean recall is at most, by how much is missed at least, one-sided at `level`: `found`
    of so many `rows` of each class, each of shape (classes,).
    """
    weights = 1.0 / (rows * len(rows))
    missed = rows - found
    mean = float((weights * missed).sum())
    variance = float((weights**2 * missed * found / rows).sum())
    if not variance:
        return 1.0 - mean
    shape = mean**2 / variance
    return 1.0 - float(scipy.stats.gamma.ppf(level, shape, scale=variance / mean))


def moved(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What each row moves the mean over classes of `values` by, shape (rows,)."""
    counts = np.bincount(labels)
    sums = np.bincount(labels, weights=values)
    means = sums / np.maximum(counts, 1)
    present = int((counts > 0).sum())
    return np.asarray((values - means[labels]) / counts[labels] / present)


def _wider(design: Design, level: float) -> float:
    """By how much rows that belong together move a limit further away."""
    if design.independent:
        return 1.0
    return math.sqrt(design.factor) * design.quantile(level) / INDEPENDENT.quantile(level)
