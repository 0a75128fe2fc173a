"""Look-ups that are fitted with a model: equal in scikit-learn and ONNX, and blind for the labels
that judge them.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import TargetEncoder
from support.gate_cases import contract as shipped
from support.gate_cases import small
from support.rich_contract import rich, rows

from sluice.model.data.table import read_table, typed
from sluice.model.fit.coding import PLAIN, coding_of
from sluice.model.fit.conversion import check_agreement, convert
from sluice.model.fit.lookups import Frequency, RareToOther
from sluice.model.fit.training import fit, folds_of, row_weights, tune
from sluice.policy import FAMILIES, SearchPolicy
from sluice.served.contract import Contract
from sluice.served.encoding import encode, feature_names, numeric_features
from sluice.served.onnx_file import check
from sluice.served.scoring import open_session, score_matrix

PARAMETERS: dict[str, dict[str, Any]] = {
    "gradient_boosting": {
        "learning_rate": 0.1,
        "iterations": 60,
        "leaves": 8,
        "smallest_leaf": 20,
        "l2": 1.0,
    },
    "logistic_regression": {"bins": 12, "inverse_penalty": 1.0},
    "random_forest": {"trees": 30, "columns_tried": 0.5, "smallest_leaf": 3, "leaves": 64},
}


@cache
def columns() -> dict[str, np.ndarray]:
    data = pd.DataFrame(rows(3_000)).to_csv(index=False).encode()
    return typed(read_table(data, rich(), "rows.csv"), rich())


@cache
def matrix() -> tuple[np.ndarray, np.ndarray]:
    return encode(rich(), columns()), columns()["ends"]


def fitted(family: str, weights: np.ndarray | None = None, of: int = 2_000) -> Any:
    features, labels = matrix()
    numeric, coding = numeric_features(rich()), coding_of(rich())
    kept = None if weights is None else weights[:of]
    return fit(family, PARAMETERS[family], features[:of], labels[:of], numeric, coding, kept)


@pytest.mark.parametrize("family", FAMILIES)
def test_onnx_and_scikit_learn_agree_on_what_is_missing_rare_and_unseen(family: str) -> None:
    features, labels = matrix()
    estimator = fitted(family)
    model = convert(estimator, features.shape[1])
    check(model)
    judged = features[2_000:].copy()
    judged[:200, feature_names(rich()).index("months")] = np.nan  # no training row lacks it
    judged[200:400, feature_names(rich()).index("place")] = 9_999
    assert np.isnan(judged).any(axis=1).mean() > 0.4
    if family == "gradient_boosting":
        assert check_agreement(estimator, model, judged) <= 1e-6
    assert check_agreement(estimator, model, features) <= 1e-6
    assert roc_auc_score(labels[2_000:], estimator.predict_proba(features[2_000:])[:, 1]) > 0.75
    assert convert(fitted(family), features.shape[1]) == model


def test_a_contract_without_anything_new_has_the_same_model_as_ever() -> None:
    for contract in (shipped(), small()):
        assert coding_of(contract) == replace(PLAIN, width=len(feature_names(contract)))
        assert not coding_of(contract)


def only(contract: Contract, key: str) -> Contract:
    """The contract with this one feature."""
    kept = tuple(c for c in contract.columns if c.role != "feature" or c.key == key)
    return replace(contract, columns=kept, derived=(), rules=())


def noise(count: int, different: int) -> tuple[Contract, np.ndarray, np.ndarray]:
    """Places that say nothing about the outcome, with few rows each."""
    random = np.random.default_rng(3)
    places = random.integers(0, different, count).astype(np.float32).reshape(-1, 1)
    contract = only(rich(), "place")
    values = tuple(f"v{number}" for number in range(different - 1))
    column = next(c for c in contract.features)
    column = replace(column, values=(*values, "other"), minimum_count=0)
    columns = tuple(column if c.role == "feature" else c for c in contract.columns)
    return replace(contract, columns=columns), places, random.integers(0, 2, count)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_target_encoding_says_nothing_of_the_labels_that_judge_it(family: str) -> None:
    contract, places, labels = noise(3_000, 1_000)
    search = SearchPolicy(trials=2, families=(family,), folds=3, seed=1)
    tuning = tune(
        places, labels, numeric_features(contract), search, coding=coding_of(contract), workers=1
    )
    assert abs(np.mean(tuning.winner.roc_auc) - 0.5) < 0.06
    # The same fitted on all rows, as the easy version does, is caught by just this.
    leaking = TargetEncoder(target_type="binary").fit(places, labels).transform(places)
    areas = [roc_auc_score(labels[out], leaking[out, 0]) for _, out in folds_of(labels, None, 3, 1)]
    assert np.mean(areas) > 0.7


def test_a_row_that_is_learnt_from_does_not_know_its_own_label() -> None:
    contract, places, labels = noise(3_000, 1_000)
    model = fit(
        "logistic_regression",
        PARAMETERS["logistic_regression"],
        places,
        labels,
        numeric_features(contract),
        coding_of(contract),
    )
    # A model that had learnt from its own labels would trust the encoding.
    weights = model.named_steps["model"].named_steps["model"].coef_
    assert np.abs(weights).max() < 1.0


def test_weights_change_what_is_learnt_and_nothing_else() -> None:
    features, labels = matrix()
    weights = row_weights(rich(), columns())
    assert weights is not None
    for family in FAMILIES:
        plain, weighted = fitted(family), fitted(family, weights)
        ones = fitted(family, np.ones(len(labels)))
        told = [one.predict_proba(features[2_000:])[:, 1] for one in (plain, weighted, ones)]
        assert np.abs(told[0] - told[1]).max() > 0.01
        if family != "random_forest":  # weights change which rows scikit-learn draws for a tree
            assert np.abs(told[0] - told[2]).max() < 1e-6
    assert row_weights(shipped(), {}) is None
    assert "weight" not in feature_names(rich())


def test_a_row_that_weighs_nothing_teaches_nothing() -> None:
    features, labels = matrix()
    weights = np.ones(2_000)
    weights[1_000:] = 0.0
    flipped = labels[:2_000].copy()
    flipped[1_000:] = 1 - flipped[1_000:]
    coding = replace(coding_of(rich()), codes=(), missing=())
    numeric = numeric_features(rich())
    told = [
        fit(
            "gradient_boosting",
            PARAMETERS["gradient_boosting"],
            features[:2_000],
            given,
            numeric,
            coding,
            weights,
        ).predict_proba(features[2_000:])[:, 1]
        for given in (labels[:2_000], flipped)
    ]
    assert np.array_equal(told[0], told[1])


def test_values_of_few_rows_are_one_with_other() -> None:
    rare = RareToOther(3, 4, 5).fit(np.array([0, 0, 0, 1, 1, 4], dtype=np.float32).reshape(-1, 1))
    given = np.array([0, 1, 2, 4, 99], dtype=np.float32).reshape(-1, 1)
    assert rare.transform(given).ravel().tolist() == [0, 4, 4, 4, 4]


def test_a_frequency_is_the_share_of_the_rows() -> None:
    seen = np.array([0, 0, 0, 2], dtype=np.float32).reshape(-1, 1)
    found = Frequency().fit(seen).transform(np.array([[0], [1], [2], [99]], dtype=np.float32))
    assert found.ravel().tolist() == [0.75, 0.0, 0.25, 0.0]


@pytest.mark.parametrize("family", FAMILIES)
def test_rare_values_score_as_other_does(family: str) -> None:
    names = list(feature_names(rich()))
    features, _ = matrix()
    shop = next(c for c in rich().features if c.key == "shop")
    rare, other = shop.values.index("airport"), shop.values.index("other")
    assert 0 < (features[:2_000, names.index("shop")] == rare).sum() < 20
    session = open_session(convert(fitted(family), features.shape[1]))
    row = features[:50].copy()
    told = []
    for place in (rare, other):
        row[:, names.index("shop")] = place
        told.append(score_matrix(session, row))
    assert np.array_equal(told[0], told[1])
