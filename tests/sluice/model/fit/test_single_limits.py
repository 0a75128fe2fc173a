"""Limits of splits and bins: the graph, which holds float32, decides as scikit-learn does with
float64, whatever float32 a row has.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model.fit.conversion import TOLERANCE, check_agreement, convert
from sluice.model.fit.single_limits import at_least, at_most
from sluice.model.fit.training import fit
from sluice.policy import FAMILIES

LIMITS = st.floats(allow_nan=False)
SINGLE = st.floats(width=32, allow_nan=False)
COLUMNS = 4
PARAMETERS = {
    "logistic_regression": {"bins": 24, "inverse_penalty": 1.0},
    "gradient_boosting": {
        "learning_rate": 0.1,
        "iterations": 20,
        "leaves": 8,
        "smallest_leaf": 5,
        "l2": 1.0,
    },
    "random_forest": {"trees": 5, "columns_tried": 0.8, "smallest_leaf": 2, "leaves": 64},
}


@given(LIMITS, SINGLE)
def test_a_moved_limit_sides_every_float32_as_before(limit: float, value: float) -> None:
    limits, row = np.array([limit]), np.float32(value)
    for moved, says in ((at_most(limits), np.less_equal), (at_least(limits), np.greater_equal)):
        assert moved.astype(np.float32).astype(np.float64) == moved
        assert says(row, moved) == says(np.float64(row), limits)


@given(SINGLE, SINGLE)
def test_half_way_between_two_numbers_is_no_exception(low: float, high: float) -> None:
    limits = np.array([low / 2 + high / 2])
    nearest = limits.astype(np.float32)
    around = [nearest, np.nextafter(nearest, np.float32(np.inf))]
    for row in (*around, np.nextafter(nearest, np.float32(-np.inf))):
        assert (row <= at_most(limits)) == (row.astype(np.float64) <= limits)
        assert (row >= at_least(limits)) == (row.astype(np.float64) >= limits)


def between(seed: int, decimals: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows on every second number of a grid, their sums, and rows on the numbers between: there
    lie the limits that are learnt of the first ones.
    """
    grid = 2 * np.random.default_rng(seed).integers(0, 150, (600, COLUMNS))
    seen, other = ((numbers / 10.0**decimals).astype(np.float32) for numbers in (grid, grid + 1))
    return seen, grid.sum(axis=1), other


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**16), decimals=st.integers(1, 4), classes=st.integers(2, 3))
def test_rows_that_lie_on_a_limit_have_the_same_score_in_the_graph(
    family: str, seed: int, decimals: int, classes: int
) -> None:
    seen, sums, other = between(seed, decimals)
    labels = np.searchsorted(np.quantile(sums, np.arange(1, classes) / classes), sums)
    estimator = fit(family, PARAMETERS[family], seen, labels, [True] * COLUMNS)
    before = estimator.predict_proba(other)
    model = convert(estimator, COLUMNS)
    assert check_agreement(estimator, model, other) <= TOLERANCE
    assert check_agreement(estimator, model, seen) <= TOLERANCE
    np.testing.assert_allclose(before, estimator.predict_proba(other), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("family", ["gradient_boosting", "logistic_regression"])
def test_nearest_limits_would_change_the_side_of_such_rows(family: str) -> None:
    seen, sums, other = between(0, 1)
    labels = (sums > np.median(sums)).astype(np.int64)
    estimator = fit(family, PARAMETERS[family], seen, labels, [True] * COLUMNS)
    before = estimator.predict_proba(other)
    for limits in limits_of(estimator):
        limits[:] = limits.astype(np.float32)
    assert np.abs(estimator.predict_proba(other) - before).max() > 1_000 * TOLERANCE


def limits_of(estimator: object) -> list[np.ndarray]:
    if hasattr(estimator, "named_steps"):
        prepare = estimator.named_steps["prepare"]
        return list(prepare.named_transformers_["bins"].bin_edges_)
    return [tree.nodes["num_threshold"] for trees in estimator._predictors for tree in trees]
