"""Statistics of one model, against scikit-learn, statsmodels and the plain definitions."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from sluice.model.statistics import (
    average_precision,
    brier,
    calibration_error,
    roc_auc,
    roc_auc_interval,
    wilson,
    wilson_low,
)


def drawn(rows: int = 400, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores that know something of them."""
    random = np.random.default_rng(2)
    labels = (random.random(rows) < 0.4).astype(np.int64)
    scores = np.clip(0.3 * labels + random.random(rows) * 0.7, 0, 1)
    return labels, np.round(scores, 1) if ties else scores


@pytest.mark.parametrize(("found", "of"), [(30, 50), (0, 9), (9, 9), (7_084, 14_900)])
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_wilson_is_that_of_statsmodels(found: int, of: int, level: float) -> None:
    expected = proportion_confint(found, of, alpha=1 - level, method="wilson")
    assert wilson(found, of, level) == pytest.approx(expected, abs=1e-12)
    assert wilson_low(found, of, (1 - level) / 2) == pytest.approx(expected[0], abs=1e-12)


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson_low(0, 0, 0.05) == 0.0
    assert wilson(30, 50) == wilson(30, 50, 0.95)


@pytest.mark.parametrize("ties", [False, True])
def test_areas_and_scores_are_those_of_scikit_learn(ties: bool) -> None:
    labels, scores = drawn(ties=ties)
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(
        average_precision_score(labels, scores), abs=1e-12
    )
    assert brier(labels, scores) == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_the_interval_of_the_area_by_definition(ties: bool) -> None:
    labels, scores = drawn(80, ties)
    positive, negative = scores[labels == 1], scores[labels == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    spread = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(
        negative
    )
    reach = 1.959963984540054 * np.sqrt(spread)
    assert roc_auc_interval(labels, scores) == pytest.approx(
        (wins.mean() - reach, wins.mean() + reach)
    )
    narrow, wide = roc_auc_interval(labels, scores, 0.9), roc_auc_interval(labels, scores, 0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_the_interval_of_the_area_at_the_edges() -> None:
    labels = np.array([1, 1, 0, 0, 0])
    assert roc_auc_interval(labels, np.array([0.9, 0.8, 0.3, 0.2, 0.1])) == (1.0, 1.0)
    assert roc_auc_interval(labels, np.array([0.1, 0.2, 0.8, 0.7, 0.9])) == (0.0, 0.0)
    assert roc_auc_interval(np.array([1, 0, 0]), np.array([0.9, 0.5, 0.1])) == (0.0, 1.0)
    assert roc_auc_interval(np.array([1, 1, 0]), np.array([0.9, 0.5, 0.1])) == (0.0, 1.0)
    assert roc_auc_interval(np.array([1, 1, 0, 0]), np.array([0.9, 0.1, 0.5, 0.4])) == (0.0, 1.0)
    low, high = roc_auc_interval(*drawn(30))
    assert 0 <= low < high <= 1


def test_calibration_error_is_the_mean_gap_over_equal_parts() -> None:
    scores = np.repeat(np.linspace(0.05, 0.95, 10), 20)
    labels = np.zeros(200, dtype=np.int64)
    for part in range(10):
        labels[part * 20 : part * 20 + 2 * part + 1] = 1
    assert calibration_error(labels, scores) == pytest.approx(0, abs=1e-12)
    assert calibration_error(labels, np.clip(scores + 0.03, 0, 1)) == pytest.approx(0.03)
    assert calibration_error(labels, scores - 0.03) == pytest.approx(0.03)
    assert calibration_error(labels, np.full(200, 0.5), parts=1) == pytest.approx(0.0)


def test_calibration_error_of_few_rows() -> None:
    assert calibration_error(np.array([1, 0, 1]), np.array([0.9, 0.2, 0.7])) == pytest.approx(
        (0.1 + 0.2 + 0.3) / 3
    )


def test_calibration_error_weighs_parts_by_their_rows() -> None:
    labels, scores = np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.1, 0.1, 0.5, 0.5])
    assert calibration_error(labels, scores, parts=2) == pytest.approx((3 * 0.1 + 2 * 0.5) / 5)


def test_average_precision_where_positives_come_first() -> None:
    assert average_precision(np.array([1, 1, 0, 0]), np.array([0.9, 0.8, 0.2, 0.1])) == 1.0
    assert average_precision(np.array([0, 1]), np.array([0.9, 0.1])) == 0.5
