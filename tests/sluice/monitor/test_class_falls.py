"""The mean recall over several classes: the false alarms of many years, and falls that are seen."""

import numpy as np
import pytest

from sluice.monitor.class_falls import mean_fall_evidence, mean_surely_below
from sluice.monitor.falls import DAYS

LEVEL = 0.05
ROWS = np.array([30.0, 9.0, 3.0])  # of each class and day, on average


def years(recalls: np.ndarray, count: int, days: int = DAYS) -> list[tuple[np.ndarray, np.ndarray]]:
    """Found and rows by day and class; `recalls` has the shape (days, classes) or (classes,)."""
    shape = (days, len(ROWS))
    chance = np.random.default_rng(5)
    made = []
    for _ in range(count):
        rows = chance.poisson(ROWS, shape)
        made.append((chance.binomial(rows, np.broadcast_to(recalls, shape)), rows))
    return made


@pytest.mark.parametrize("recalls", [(0.7, 0.7, 0.7), (0.95, 0.6, 0.55), (0.99, 0.99, 0.12)])
def test_of_years_without_a_fall_few_ever_alarm_however_the_classes_share_the_mean(
    recalls: tuple[float, ...],
) -> None:
    """The level is of a whole year that is looked at every day; of 300 years 15 are expected."""
    limit = float(np.mean(recalls))
    alarms = [
        mean_fall_evidence(found, rows, limit).max() >= 1 / LEVEL
        for found, rows in years(np.array(recalls), 300)
    ]
    assert sum(alarms) <= 15


def test_one_step_of_any_bet_is_expected_to_gain_nothing() -> None:
    """Exactly: all outcomes of one row a class, each weighed by its probability."""
    for recalls in ((0.5, 0.9), (0.1, 0.7), (1.0, 0.4)):
        limit, expected = float(np.mean(recalls)), 0.0
        for outcome in ((0, 0), (0, 1), (1, 0), (1, 1)):
            chance = np.prod([r if hit else 1 - r for r, hit in zip(recalls, outcome, strict=True)])
            evidence = mean_fall_evidence(np.array([outcome]), np.ones((1, 2)), limit)
            expected += float(chance * evidence[0])
        assert expected <= 1 + 1e-12


def test_a_fall_of_one_class_is_seen_in_the_mean_and_how_far_is_bounded() -> None:
    before, after = [0.9, 0.7, 0.6], [0.9, 0.3, 0.6]
    recalls = np.array([before] * 60 + [after] * 120)
    seen = 0
    for found, rows in years(recalls, 20, 180):
        reached = np.flatnonzero(mean_fall_evidence(found, rows, 0.70) >= 1 / LEVEL)
        seen += bool(len(reached)) and reached[0] >= 60
        below = mean_surely_below(found, rows, LEVEL)
        assert np.all(np.diff(below) <= 0)
        assert below[-1] >= 0.6 - 0.001
    assert seen >= 18


def test_days_without_a_row_of_a_class_wait_for_it_and_none_is_lost() -> None:
    found = np.array([[5, 0], [3, 0], [1, 2]])
    rows = np.array([[8, 0], [4, 0], [2, 4]])
    waited = mean_fall_evidence(found, rows, 0.9)
    together = mean_fall_evidence(found.sum(axis=0)[None], rows.sum(axis=0)[None], 0.9)
    assert waited[0] == waited[1] == pytest.approx(1)
    assert waited[2] == pytest.approx(together[0])


def test_without_labels_nothing_is_sure() -> None:
    nothing = np.zeros((10, 3))
    assert mean_fall_evidence(nothing, nothing, 0.5) == pytest.approx(np.ones(10))
    assert mean_surely_below(nothing, nothing, LEVEL).tolist() == [1.0] * 10
