"""The best single column: the one that leaks is named, on rows that it was not learnt on."""

import numpy as np
import pytest
from support.gate_cases import columns, contract, small

from sluice.model.quality.one_column import best
from sluice.model.quality.statistics import roc_auc


def halves(table: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The first and the second thousand rows."""
    return (
        {name: values[:1_000] for name, values in table.items()},
        {name: values[1_000:] for name, values in table.items()},
    )


def test_the_sample_has_no_column_that_gives_the_answer_away() -> None:
    train, holdout = halves(columns())
    name, scores = best(contract(), train, train["attrition"], holdout)
    assert name == "Job Level"
    assert scores.shape == (1_000,)
    assert 0.55 < roc_auc(holdout["attrition"], scores) < 0.75


@pytest.mark.parametrize(
    ("name", "key"), [("Distance from Home", "distance_from_home"), ("Job Role", "job_role")]
)
def test_a_column_that_copies_the_target_is_named(name: str, key: str) -> None:
    table = dict(columns())
    wrong = np.random.default_rng(1).random(2_000) < 0.1
    left = (table["attrition"] == 1) ^ wrong
    values = {"distance_from_home": (80.0, 3.0), "job_role": ("Media", "Finance")}[key]
    table[key] = np.where(left, *values).astype(table[key].dtype)
    train, holdout = halves(table)
    found, scores = best(contract(), train, train["attrition"], holdout)
    assert found == name
    assert roc_auc(holdout["attrition"], scores) > 0.85


def test_a_leak_in_the_middle_of_a_quantity_is_seen() -> None:
    table = dict(columns())
    table["distance_from_home"] = np.where(
        table["attrition"] == 1, 50.0, np.where(np.arange(2_000) % 2, 5.0, 95.0)
    )
    train, holdout = halves(table)
    found, scores = best(contract(), train, train["attrition"], holdout)
    assert found == "Distance from Home"
    assert roc_auc(holdout["attrition"], scores) > 0.99


def test_a_leak_by_missing_values_is_seen() -> None:
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, 600)
    table = {
        "age": random.integers(20, 60, 600).astype(np.float64),
        "weight": random.random(600) * 100,
        "spend": np.where(labels == 1, np.nan, random.random(600)),
        "visits": random.integers(0, 9, 600).astype(np.float64),
        "tier": random.choice(np.array(["Low", "Mid", "High"], dtype=object), 600),
        "region": random.choice(np.array(["N", "Süd"], dtype=object), 600),
        "late": random.choice(np.array(["No", "Yes"], dtype=object), 600),
    }
    found, scores = best(small(), table, labels, table)
    assert found == "Spend"
    assert roc_auc(labels, scores) == 1.0


def test_protected_columns_are_no_bar() -> None:
    table = dict(columns())
    table["gender"] = np.where(table["attrition"] == 1, "Female", "Male").astype(object)
    train, holdout = halves(table)
    assert best(contract(), train, train["attrition"], holdout)[0] == "Job Level"


def test_a_value_never_seen_says_nothing() -> None:
    train, holdout = halves(dict(columns()))
    holdout["job_role"] = holdout["job_role"].copy()
    holdout["job_role"][:] = None
    _, scores = best(contract(), train, train["attrition"], holdout)
    assert np.isfinite(scores).all()
