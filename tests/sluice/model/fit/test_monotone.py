"""Directions that a contract gives: which families keep them, and that the ONNX model does."""

import numpy as np
import pytest
from support.gate_cases import SMALL

from sluice.errors import UsageError
from sluice.model.fit.conversion import check_agreement, convert
from sluice.model.fit.monotone import (
    KEEPING,
    SET_BACK,
    WHY_NOT,
    WHY_NOT_WEIGHTED,
    allowed,
    directions,
)
from sluice.model.fit.training import fit
from sluice.model.fit.tuning_file import Parameters
from sluice.policy import FAMILIES
from sluice.served.contract import load_contract
from sluice.served.encoding import feature_names
from sluice.served.scoring import open_session, score_matrix

PARAMETERS: dict[str, Parameters] = {
    "gradient_boosting": {
        "learning_rate": 0.2,
        "iterations": 60,
        "leaves": 12,
        "smallest_leaf": 5,
        "l2": 0.1,
    },
    "random_forest": {"trees": 40, "columns_tried": 0.7, "smallest_leaf": 2, "leaves": 256},
}
SIGNS = (1, -1, 0)


def noisy() -> tuple[np.ndarray, np.ndarray]:
    """Rows whose label follows the first two columns with much noise, so that a free model wiggles;
    float32 of shape (1500, 3), and labels.
    """
    chance = np.random.default_rng(4)
    features = chance.uniform(-3, 3, (1_500, 3)).astype(np.float32)
    logits = 0.6 * features[:, 0] - 0.6 * features[:, 1] + np.sin(3 * features[:, 2])
    return features, (chance.random(1_500) < 1 / (1 + np.exp(-logits))).astype(np.int8)


def on_a_grid(model: bytes, column: int) -> np.ndarray:
    """Scores of 300 rows, all else equal, as one column goes from below all rows to above them;
    shape (300, 61).
    """
    features = noisy()[0][:300]
    session = open_session(model)
    steps = np.linspace(-4, 4, 61, dtype=np.float32)
    scores = []
    for step in steps:
        moved = features.copy()
        moved[:, column] = step
        scores.append(score_matrix(session, moved))
    return np.column_stack(scores)


@pytest.mark.parametrize("family", KEEPING)
def test_the_onnx_model_goes_only_the_way_that_is_allowed(family: str) -> None:
    features, labels = noisy()
    estimator = fit(family, PARAMETERS[family], features, labels, (True,) * 3, monotone=SIGNS)
    model = convert(estimator, 3)
    check_agreement(estimator, model, features)
    # Rounding is monotone, too, and so not even the last bit goes back.
    assert (np.diff(on_a_grid(model, 0), axis=1) >= 0).all()
    assert (np.diff(on_a_grid(model, 1), axis=1) <= 0).all()
    free = np.diff(on_a_grid(model, 2), axis=1)
    assert (free > 0).any() and (free < 0).any()


@pytest.mark.parametrize("family", KEEPING)
def test_without_a_direction_the_same_model_goes_both_ways(family: str) -> None:
    """Otherwise the test above would prove nothing."""
    features, labels = noisy()
    model = convert(fit(family, PARAMETERS[family], features, labels, (True,) * 3), 3)
    assert (np.diff(on_a_grid(model, 0), axis=1) < 0).any()
    assert (np.diff(on_a_grid(model, 1), axis=1) > 0).any()


def test_directions_are_those_of_the_columns_of_the_matrix() -> None:
    contract = load_contract(SMALL.replace("fill = 12.5", 'fill = 12.5, monotone = "down"'))
    signs = dict(zip(feature_names(contract), directions(contract), strict=True))
    assert signs.pop("spend") == -1
    assert set(signs.values()) == {0}
    assert directions(load_contract(SMALL)) == ()


def test_a_family_that_cannot_keep_to_them_is_not_tried_and_that_is_said() -> None:
    tried = allowed(FAMILIES, (0, 1))
    assert tried.families == KEEPING
    assert tried.left_out == {"logistic_regression": WHY_NOT}
    free = allowed(FAMILIES, ())
    assert (free.families, free.left_out) == (FAMILIES, {})


def test_a_forest_is_not_tried_where_positives_have_a_weight() -> None:
    tried = allowed(FAMILIES, (), 5.0)
    assert tried.families == SET_BACK
    assert tried.left_out == {"random_forest": WHY_NOT_WEIGHTED}
    both = allowed(FAMILIES, (1,), 5.0)
    assert both.families == ("gradient_boosting",)
    with pytest.raises(UsageError, match="one of gradient_boosting is required"):
        allowed(["random_forest", "logistic_regression"], (1,), 5.0)


def test_where_no_family_can_keep_to_them_the_policy_is_refused() -> None:
    with pytest.raises(UsageError, match="gradient_boosting, random_forest is required") as caught:
        allowed(["logistic_regression"], (0, -1))
    assert caught.value.exit_code == 2
    assert "monotone" in caught.value.fix


def test_a_derived_feature_may_not_read_a_column_with_a_direction() -> None:
    """As `weight / (age + 100)` does, which falls where age grows."""
    text = SMALL.replace('unit = "years"', 'unit = "years", monotone = "up"')
    with pytest.raises(UsageError, match='"density", expression reads "Age", which is monotone'):
        load_contract(text)
