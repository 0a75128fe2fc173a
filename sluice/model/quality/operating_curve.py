"""What other thresholds would flag of the validation rows.

Labels are 0 or 1; labels and scores have the shape (rows,).
"""

import numpy as np

from sluice.model.quality.metrics_file import OperatingCurve

# Neighbouring scores closer than this are one: the same row scored twice may differ by half of it.
_GAP = 2e-6
_POINTS = 400  # of a curve, at most
_FEWEST = 5  # rows between two points of a curve: fewer could point at a person


def operating_curve(labels: np.ndarray, scores: np.ndarray) -> OperatingCurve:
    """What is flagged at thresholds that are spread evenly over the number of rows flagged.

    Each lies halfway between two scores, so that no row sits on it; the last one is 0.
    """
    ranked = np.sort(scores)[::-1]
    middles = np.append((ranked[:-1] + ranked[1:]) / 2, 0.0)  # from 0 on every row is flagged
    return counted_at(labels, scores, tuple(middles[_places(ranked)].tolist()))


def _places(ranked: np.ndarray) -> list[int]:
    """The last row that is flagged at each threshold; `ranked` are scores, the highest first."""
    rows = len(ranked)
    possible = np.flatnonzero(np.append(ranked[:-1] - ranked[1:] > _GAP, True))
    wanted = np.linspace(0, rows, min(_POINTS, rows // _FEWEST) + 1)[1:] - 1
    nearest = possible[np.searchsorted(possible, wanted)]
    chosen: list[int] = []
    for place in nearest.tolist():
        if place - (chosen[-1] if chosen else -1) >= _FEWEST:
            chosen.append(place)
    return chosen


def counted_at(
    labels: np.ndarray, scores: np.ndarray, thresholds: tuple[float, ...]
) -> OperatingCurve:
    """How many rows these thresholds flag, and how many of them are positive."""
    order = np.argsort(-scores, kind="stable")
    flagged = np.searchsorted(-scores[order], -np.asarray(thresholds), side="right")
    found = np.append(0, np.cumsum(labels[order]))[flagged]
    return OperatingCurve(thresholds, tuple(flagged.tolist()), tuple(found.astype(int).tolist()))


def counted_again(
    told: OperatingCurve | None, labels: np.ndarray, scores: np.ndarray
) -> OperatingCurve:
    """The curve of these rows, at the thresholds of a curve that was told where they will do.

    On another processor a score may differ in its last digit, and another threshold be chosen; the
    counts at a threshold are the same there, because none is closer to a score than that.
    """
    curve = operating_curve(labels, scores)
    if told is None or len(told.thresholds) != len(curve.thresholds):
        return curve
    apart = np.abs(np.subtract(told.flagged, curve.flagged, dtype=float))
    if apart.max(initial=0.0) > _FEWEST:
        return curve
    return counted_at(labels, scores, told.thresholds)
