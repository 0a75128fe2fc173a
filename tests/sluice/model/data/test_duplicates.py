"""Rows that were seen before, but for one value."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model.data.duplicates import near_duplicates

ROW = st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.sampled_from([0.5, 1.5, float("nan")]))
ROWS = st.lists(ROW, min_size=1, max_size=12)
Row = tuple[int, str, float]


def columns(rows: list[Row]) -> list[np.ndarray]:
    """The rows by column, as a table has them."""
    ints, texts, numbers = zip(*rows, strict=True)
    return [np.array(ints), np.array(texts, dtype=object), np.array(numbers)]


def differ(one: Row, other: Row) -> int:
    """In how many values two rows differ; missing ones are equal."""
    return sum(str(a) != str(b) for a, b in zip(one, other, strict=True))


@given(ROWS, ROWS)
@settings(deadline=None)
def test_it_is_what_a_look_at_every_pair_finds(known: list[Row], rows: list[Row]) -> None:
    nearest = [min(differ(row, other) for other in known) for row in rows]
    near = nearest.count(1)
    assert near_duplicates(columns(known), columns(rows)) == near


def test_without_columns_there_is_none() -> None:
    assert near_duplicates([], []) == 0


def test_two_changed_values_are_another_row() -> None:
    random = np.random.default_rng(1)
    known = [random.random(500) for _ in range(5)]
    rows = [column[:100].copy() for column in known]
    assert near_duplicates(known, rows) == 0  # they are the same, which is counted elsewhere
    rows[0] += 1
    assert near_duplicates(known, rows) == 100
    rows[3][:40] += 1
    assert near_duplicates(known, rows) == 60
