"""A value against the most that may be, and about how many rows would tell."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gate.case import BROKEN, MET, OPEN
from sluice.gate.limits import Limit, rows_to_tell

FAR = "far more than 1,000"


@given(st.integers(1, 10**9), st.floats(0, math.inf), st.floats(0, 1))
def test_a_number_of_rows_or_that_no_number_tells(rows: int, reach: float, distance: float) -> None:
    told = rows_to_tell(rows, reach, distance)
    if told != f"far more than {rows:,}":
        assert int(told.replace(",", "")) >= 1


@pytest.mark.parametrize(
    ("reach", "distance", "wanted"),
    [
        (0.02, 0.01, "3,000"),
        (0.01, 0.01, "1"),
        (0.001, 0.01, "1"),
        (0.02, 0.00001, FAR),
        (math.inf, 0.01, FAR),
        (1e300, 1e-4, FAR),
    ],
)
def test_rows_fall_with_the_square(reach: float, distance: float, wanted: str) -> None:
    assert rows_to_tell(1_000, reach, distance) == wanted


@pytest.mark.parametrize(
    ("value", "reach", "state"),
    [
        (0.5, 0.0, MET),
        (0.51, 0.02, OPEN),
        (0.51, 0.01, OPEN),
        (0.53, 0.02, BROKEN),
        (0.51, math.inf, OPEN),
        (math.nan, 0.02, BROKEN),
        (0.51, math.nan, BROKEN),
    ],
)
def test_it_is_broken_only_where_the_whole_interval_lies_beyond(
    value: float, reach: float, state: str
) -> None:
    rule = Limit("x", "X", value, reach, 0.5, 1_000, "Lower it").rule()
    assert rule.state == state
    assert bool(rule.needed) == (state != MET)
