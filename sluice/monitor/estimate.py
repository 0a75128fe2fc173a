"""Recall without labels: an estimate from the model's own probabilities, refused where these or the
rows do not allow it.

Of rows whose probabilities are right, the expected positives are the sum of the probabilities, and
the expected ones among the flagged the sum over these. It sees a change of the rows, and no change
of what the columns mean; so it is called an estimate everywhere, and decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice.model.quality.diagnostics_file import CalibrationCell
from sluice.monitor.day import SCORE_BINS, Day

LARGEST_ERROR = 0.02  # mean distance of probability and outcome on the holdout
_MIDDLES = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS


@dataclass(frozen=True)
class Estimate:
    """An estimated recall, or None and why there is none."""

    recall: float | None
    sentence: str


def calibration_error(cells: Sequence[CalibrationCell]) -> float:
    """The mean distance of probability and outcome over the rows of a calibration curve; 1 where
    there is none.
    """
    rows = sum(cell.rows for cell in cells)
    if not rows:
        return 1.0
    return sum(abs(cell.score - cell.share) * cell.rows for cell in cells) / rows


def estimate(days: Sequence[Day], threshold: float, error: float, *, drifted: bool) -> Estimate:
    """The estimate for the rows of these days; `error` is the calibration error on the holdout,
    `drifted` says whether columns have left the training rows.
    """
    if error > LARGEST_ERROR:
        sentence = (
            f"No estimate without labels: the calibration error is {error:.3f}; at most"
            f" {LARGEST_ERROR:g} is required."
        )
        return Estimate(None, sentence)
    if drifted:
        sentence = (
            "No estimate without labels: the rows have left those that the probabilities were"
            " checked on."
        )
        return Estimate(None, sentence)
    scores = np.sum([day.scores for day in days], axis=0) if days else np.zeros(SCORE_BINS)
    expected = scores * _MIDDLES
    if not expected.sum():
        return Estimate(None, "No estimate without labels: there are no answers.")
    first = threshold * SCORE_BINS
    # The bin that the threshold lies in is flagged in part.
    flagged = np.clip(np.arange(SCORE_BINS) + 1 - first, 0, 1)
    recall = float((expected * flagged).sum() / expected.sum())
    sentence = (
        f"Estimate without labels: recall {recall:.3f}, from the model's own probabilities; it does"
        " not see it where columns come to mean something else."
    )
    return Estimate(recall, sentence)
