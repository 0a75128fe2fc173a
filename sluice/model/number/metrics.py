"""How far answers of a number are off: the numbers of its metrics.json.

Labels and answers are floats in the unit of the target, shape (rows,); `middle` is the median of
the training rows, `band` how far off is near enough, both in that unit.
"""

from collections.abc import Mapping

import numpy as np

from sluice.model.number.metrics_file import NumberGroup, NumberIntervals, NumberMeasures
from sluice.model.number.resampled import Limits, limits_of
from sluice.model.number.skill import skill_of
from sluice.model.quality.clusters import of_share
from sluice.model.quality.metrics_file import Interval
from sluice.model.quality.statistics import wilson


def measure(labels: np.ndarray, answers: np.ndarray, middle: float, band: float) -> NumberMeasures:
    """The headline metrics."""
    off = answers - labels
    return NumberMeasures(
        mae=float(np.abs(off).mean()),
        rmse=float(np.sqrt((off**2).mean())),
        bias=float(off.mean()),
        within=float((np.abs(off) <= band).mean()),
        naive_mae=float(np.abs(labels - middle).mean()),
        skill=skill_of(labels, answers, middle),
    )


def intervals(
    labels: np.ndarray,
    answers: np.ndarray,
    middle: float,
    band: float,
    level: float,
    clusters: np.ndarray | None = None,
) -> NumberIntervals:
    """Two-sided intervals of the confidence `level`; `clusters` are numbers, equal in rows that
    belong together.
    """
    off, side = answers - labels, (1 - level) / 2
    near, every = np.abs(off) <= band, np.ones(len(off), dtype=bool)
    skill = skill_limits(labels, answers, middle, side, clusters)
    return NumberIntervals(
        level=level,
        mae=_interval(mean_limits(np.abs(off), side, clusters)),
        bias=_interval(mean_limits(off, side, clusters)),
        within=wilson(int(near.sum()), len(off), level, of_share(near, every, clusters)),
        skill=_interval(skill),
    )


def mean_limits(values: np.ndarray, level: float, clusters: np.ndarray | None = None) -> Limits:
    """The mean of values, shape (rows,), with limits that are each one-sided at `level`."""
    return limits_of(values, np.ones(len(values)), level, clusters)


def skill_limits(
    labels: np.ndarray,
    answers: np.ndarray,
    middle: float,
    level: float,
    clusters: np.ndarray | None = None,
) -> Limits:
    """The skill with limits that are each one-sided at `level`."""
    nothing = np.abs(labels - middle)
    return limits_of(nothing - np.abs(labels - answers), nothing, level, clusters)


def by_segment(
    labels: np.ndarray,
    answers: np.ndarray,
    segments: Mapping[str, np.ndarray],
    level: float,
    clusters: np.ndarray | None = None,
) -> dict[str, dict[str, NumberGroup]]:
    """Each group, by segment and group, with intervals of this confidence."""
    off, side = answers - labels, (1 - level) / 2
    measured: dict[str, dict[str, NumberGroup]] = {}
    for segment, groups in segments.items():
        measured[segment] = {}
        for name in np.unique(groups):
            inside = groups == name
            belonging = None if clusters is None else np.unique(clusters[inside], False, True)[1]
            mae = mean_limits(np.abs(off[inside]), side, belonging)
            bias = mean_limits(off[inside], side, belonging)
            measured[segment][str(name)] = NumberGroup(
                int(inside.sum()), mae.value, bias.value, _interval(mae), _interval(bias)
            )
    return measured


def _interval(limits: Limits) -> Interval:
    """Both limits; what is endless is as far away as a file can say."""
    return (max(limits.low, -1e30), min(limits.high, 1e30))
