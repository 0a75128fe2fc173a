"""Reasons in words, and the tiers: what is said adds up to what the model said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import contract, small

from sluice.served.reasons import Explanation, in_words, shown
from sluice.served.shapley import Contributions
from sluice.served.tiers import Tiers

FEATURES = contract().features
BASELINE = 0.4


def told(values: list[float]) -> Explanation:
    """The explanation of a row whose columns add these values."""
    numbers = np.array([[column.minimum or 0.0 for column in FEATURES]])
    found = Contributions(np.array([values]), np.full((1, len(values)), 0.01))
    [explanation] = in_words(contract(), numbers, found, BASELINE)
    return explanation


VALUES = st.lists(st.floats(-0.3, 0.3), min_size=len(FEATURES), max_size=len(FEATURES))


@given(VALUES)
def test_baseline_reasons_and_others_add_up_and_make_up_most_of_the_distance(
    values: list[float],
) -> None:
    explanation = told(values)
    changes = [reason.change for reason in explanation.reasons]
    total = explanation.baseline + sum(changes) + explanation.others
    assert total == pytest.approx(BASELINE + sum(values), abs=1e-9)
    # What is not shown is a fifth of the distance, one point, or of columns that add nothing.
    nothing = 0.001 * (len(values) - len(changes))
    assert abs(explanation.others) <= max(0.2 * abs(sum(values)), 0.01, nothing) + 1e-9
    sizes = [abs(change) for change in changes]
    assert sizes == sorted(sizes, reverse=True)
    left_out = sorted((abs(value) for value in values), reverse=True)[len(sizes) :]
    assert not sizes or max(left_out, default=0.0) <= sizes[-1]


def test_a_column_that_adds_nothing_is_no_reason() -> None:
    assert told([0.0009] * len(FEATURES)).reasons == []


def test_of_equal_changes_the_earlier_column_comes_first() -> None:
    explanation = told([0.1] * len(FEATURES))
    keys = [reason.field for reason in explanation.reasons]
    assert keys == [column.key for column in FEATURES][: len(keys)]


def test_three_are_shown_where_one_would_do() -> None:
    values = [0.0] * len(FEATURES)
    values[:4] = [0.3, 0.002, -0.002, 0.002]
    assert len(told(values).reasons) == 3


def test_no_reason_names_a_protected_column() -> None:
    protected = {column.key for column in contract().role("protected")}
    assert protected
    named = {reason.field for reason in told([0.1] * len(FEATURES)).reasons}
    assert not named & protected


def test_the_words() -> None:
    place = [column.key for column in FEATURES].index("monthly_income")
    numbers = np.zeros((1, len(FEATURES)))
    numbers[0, place] = 7300
    values = np.zeros(numbers.shape)
    values[0, place] = -0.0614
    found = Contributions(values, np.full(numbers.shape, 0.0123))
    [explanation] = in_words(contract(), numbers, found, BASELINE)
    [reason] = explanation.reasons
    assert reason.text == "Monthly Income is 7,300: lowers the probability by 6.1 points."
    assert (reason.field, reason.name, reason.value) == ("monthly_income", "Monthly Income", 7300)
    assert (reason.change, reason.error) == (-0.0614, 0.0123)


def test_numbers_go_back_to_values() -> None:
    columns = {column.key: column for column in small().features}
    assert shown(columns["age"], 40.0) == 40
    assert shown(columns["weight"], 2.5) == 2.5
    assert shown(columns["tier"], 2.0) == "High"


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.0, "very low"),
        (0.2499999, "very low"),
        (0.25, "low"),
        (0.4499, "low"),
        (0.45, "medium"),
        (0.65, "high"),
        (1.0, "high"),
    ],
)
def test_tiers(probability: float, expected: str) -> None:
    assert Tiers().of(probability) == expected
    assert contract().tiers.of(probability) == expected
