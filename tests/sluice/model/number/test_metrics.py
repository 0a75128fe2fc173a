"""How far answers of a number are off."""

import numpy as np
import pytest
from support import deliveries

from sluice.model.fit.conversion import check_agreement, convert
from sluice.model.fit.training import fit
from sluice.model.number import metrics
from sluice.model.number.one_column import best
from sluice.model.number.skill import skill_of
from sluice.policy import FAMILIES_OF_NUMBER
from sluice.served.encoding import encode, feature_names, numeric_features

PARAMETERS = {
    "linear_regression": {"bins": 12, "penalty": 1.0},
    "gradient_boosting": {
        "learning_rate": 0.1,
        "iterations": 80,
        "leaves": 8,
        "smallest_leaf": 20,
        "l2": 1.0,
    },
    "random_forest": {"trees": 30, "columns_tried": 0.5, "smallest_leaf": 3, "leaves": 64},
}


@pytest.mark.parametrize("family", FAMILIES_OF_NUMBER)
def test_each_family_answers_the_same_in_onnx_and_knows_something(family: str) -> None:
    contract, rows = deliveries.contract(), deliveries.columns(1_200)
    features, labels = encode(contract, rows), rows["minutes"]
    shares = deliveries.QUANTITY.shares(labels)
    estimator = fit(family, PARAMETERS[family], features, shares, numeric_features(contract))
    model = convert(estimator, len(feature_names(contract)), deliveries.QUANTITY)
    again = fit(family, PARAMETERS[family], features, shares, numeric_features(contract))
    assert convert(again, len(feature_names(contract)), deliveries.QUANTITY) == model
    apart = check_agreement(estimator, model, features, deliveries.QUANTITY)
    assert apart <= deliveries.QUANTITY.tolerance
    answers = deliveries.QUANTITY.low + 240 * np.clip(estimator.predict(features), 0, 1)
    assert skill_of(labels, answers, float(np.median(labels))) > 0.5


def test_the_numbers_are_those_of_the_definitions() -> None:
    labels, answers = np.array([1.0, 2.0, 3.0, 6.0]), np.array([2.0, 2.0, 3.0, 3.0])
    found = metrics.measure(labels, answers, middle=2.0, band=1.0)
    assert (found.mae, found.bias, found.within) == (1.0, -0.5, 0.75)
    assert found.rmse == pytest.approx(np.sqrt(10 / 4))
    assert found.naive_mae == 1.5
    assert found.skill == pytest.approx(1 / 3)


def test_a_number_that_never_changes_has_no_skill() -> None:
    assert skill_of(np.full(5, 2.0), np.full(5, 2.0), 2.0) == 0.0


def test_the_interval_of_each_is_around_it() -> None:
    chance = np.random.default_rng(1)
    labels = chance.normal(10, 3, 300)
    answers = labels + chance.normal(0.2, 1, 300)
    found = metrics.measure(labels, answers, 10.0, 1.0)
    spans = metrics.intervals(labels, answers, 10.0, 1.0, 0.9)
    for name in ("mae", "bias", "within", "skill"):
        low, high = getattr(spans, name)
        assert low < getattr(found, name) < high


def test_each_group_is_measured_and_one_of_few_rows_has_no_limits() -> None:
    labels = np.arange(40.0)
    groups = np.array(["a"] * 37 + ["b"] * 3, dtype=object)
    found = metrics.by_segment(labels, labels + 1, {"side": groups}, 0.9)["side"]
    assert found["a"].rows == 37
    assert found["a"].mae_interval == (1.0, 1.0)
    assert found["b"].bias_interval == (-1e30, 1e30)


def test_the_best_single_column_is_named() -> None:
    contract = deliveries.contract()
    train, holdout = deliveries.columns(1_500), deliveries.columns(400, seed=2)
    name, answers = best(contract, train, train["minutes"], holdout)
    assert name == "Distance km"
    middle = float(np.median(train["minutes"]))
    assert 0.1 < skill_of(holdout["minutes"], answers, middle) < 0.7
