"""The quick way from records to numbers gives what the thorough way gives, or goes it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import small

from sluice.served.encoding import InvalidFields
from sluice.served.records import read_all, thorough

GOOD: dict[str, Any] = {
    "age": 40,
    "weight": 70.5,
    "spend": 3.0,
    "visits": 2,
    "tier": "High",
    "region": "Süd",
    "late": "Yes",
}
ODD = st.sampled_from([None, True, "40", "", "High", [], {}, -0.0, 1e308, 10**400, float("nan")])
VALUES = {
    "age": st.integers(-7, 92) | st.floats(-7, 92),
    "weight": st.floats(-2, 251) | st.integers(-2, 251),
    "spend": st.floats(-1, 1.1e6),
    "visits": st.integers(-1, 10),
    "tier": st.sampled_from(["Low", "Mid", "High", "high"]),
    "region": st.sampled_from(["N", "Süd", "S"]),
    "late": st.sampled_from(["No", "Yes"]),
}
ALLOWED = {
    "age": st.integers(-5, 90) | st.integers(-5, 90).map(float),
    "weight": st.floats(-1.5, 250) | st.integers(-1, 250),
    "spend": st.floats(0, 1e6),
    "visits": st.integers(0, 9),
    "tier": st.sampled_from(["Low", "Mid", "High"]),
    "region": st.sampled_from(["N", "Süd"]),
    "late": st.sampled_from(["No", "Yes"]),
}


def outcome(read: Any, records: list[dict[str, Any]]) -> Any:
    """The bytes of the numbers, or the wrong fields."""
    try:
        return read(small(), records).tobytes()
    except InvalidFields as refused:
        return refused.errors


@given(st.lists(st.fixed_dictionaries(ALLOWED), min_size=1, max_size=8))
def test_allowed_records_are_equal_to_the_bit_both_ways(records: list[dict[str, Any]]) -> None:
    quick = read_all(small(), records)
    assert quick.shape == (len(records), len(GOOD))
    assert np.array_equal(quick, thorough(small(), records))
    assert not np.signbit(quick[quick == 0]).any()  # minus zero is zero


@given(
    st.lists(
        st.fixed_dictionaries({key: values | ODD for key, values in VALUES.items()}),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_is_sent_is_answered_the_same_both_ways(records: list[dict[str, Any]]) -> None:
    assert outcome(read_all, records) == outcome(thorough, records)


@given(st.lists(st.sampled_from([*GOOD, "Age", "Weight", "shoe"]), unique=True))
def test_whatever_fields_are_there_is_answered_the_same_both_ways(names: list[str]) -> None:
    records = [{name: GOOD.get(name.lower(), 1) for name in names}, GOOD]
    assert outcome(read_all, records) == outcome(thorough, records)


def test_records_may_name_their_columns_in_different_ways() -> None:
    published = {column.name: GOOD[column.key] for column in small().features}
    records = [GOOD, published, GOOD]
    numbers = read_all(small(), records)
    assert (numbers == numbers[0]).all()


def test_a_missing_number_is_filled_and_a_missing_text_too() -> None:
    empty = GOOD | {"spend": None, "visits": None, "tier": None, "region": None}
    filled = GOOD | {"spend": 12.5, "visits": 3, "tier": "Mid", "region": "N"}
    assert np.array_equal(read_all(small(), [empty]), read_all(small(), [filled]))


def test_every_wrong_row_is_named_by_its_place() -> None:
    records = [GOOD, GOOD | {"age": 91}, GOOD, GOOD | {"late": "yes"}]
    with pytest.raises(InvalidFields) as caught:
        read_all(small(), records)
    assert [(error.row, error.field, error.value) for error in caught.value.errors] == [
        (1, "Age", "91"),
        (3, "Pays-Late?", "'yes'"),
    ]
