"""Recall without labels: right where probabilities are, refused where they or the rows are not."""

import numpy as np
import pytest

from sluice.model.quality.diagnostics_file import CalibrationCell
from sluice.monitor.day import SCORE_BINS, Day
from sluice.monitor.estimate import calibration_error, estimate


def drawn(rows: int, seed: int = 1) -> tuple[Day, np.ndarray, np.ndarray]:
    """Rows whose outcomes follow their probabilities."""
    random = np.random.default_rng(seed)
    scores = random.beta(1.2, 1.6, rows)
    counts = np.bincount((scores * SCORE_BINS).astype(int), minlength=SCORE_BINS)
    day = Day(day="2026-01-01", rows=rows, scores=tuple(counts.tolist()))
    return day, scores, random.random(rows) < scores


@pytest.mark.parametrize("threshold", [0.3, 0.504, 0.7])
def test_it_is_near_the_truth_where_the_probabilities_are_right(threshold: float) -> None:
    day, scores, labels = drawn(200_000)
    true = (scores[labels] >= threshold).mean()
    told = estimate([day], threshold, 0.01, drifted=False)
    assert told.recall == pytest.approx(true, abs=0.005)
    assert told.sentence.startswith(f"Estimate without labels: recall {told.recall:.3f}")


def test_it_is_refused_where_calibration_or_rows_do_not_allow_it() -> None:
    day, _, _ = drawn(1_000)
    loose = estimate([day], 0.5, 0.03, drifted=False)
    assert loose.recall is None
    assert "the calibration error is 0.030; at most 0.02 is required" in loose.sentence
    assert estimate([day], 0.5, 0.01, drifted=True).recall is None
    assert estimate([], 0.5, 0.01, drifted=False).recall is None


def test_the_calibration_error_weighs_by_rows() -> None:
    cells = [
        CalibrationCell(0.2, 0.25, 300, (0.0, 1.0)),
        CalibrationCell(0.7, 0.70, 100, (0.0, 1.0)),
    ]
    assert calibration_error(cells) == pytest.approx(0.0375)
    assert calibration_error([]) == 1.0
