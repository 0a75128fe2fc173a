"""The histograms that travel with a model: they lose no row, and point at no person."""

import json
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import small

from sluice.model.artifact.reference import (
    OTHER,
    Numbers,
    Reference,
    Texts,
    histogram,
    read_reference,
    rows_from,
)
from sluice.model.json_file import Unreadable

AGE, WEIGHT, TIER = (small().find(name) for name in ("Age", "Weight", "Tier"))
WHOLE = st.lists(st.integers(-5, 90), max_size=200)
DECIMAL = st.lists(st.integers(-150, 25_000).map(lambda cents: cents / 100), max_size=200)
WORDS = st.lists(st.sampled_from(["Low", "Mid", "High"]) | st.none(), max_size=100)


def counted(numbers: list[float], key: str = "age", missing: int = 0) -> Numbers:
    """The histogram of one column of numbers."""
    column = small().find(key)
    assert column
    alone = replace(small(), columns=(column,))
    values = np.array([*numbers, *[np.nan] * missing], dtype=np.float64)
    found = histogram(alone, {key: values})[key]
    assert isinstance(found, Numbers)
    return found


def texts(values: list[str | None]) -> Texts:
    """The counts of one column of texts."""
    assert TIER
    found = histogram(replace(small(), columns=(TIER,)), {"tier": np.array(values, dtype=object)})
    cell = found["tier"]
    assert isinstance(cell, Texts)
    return cell


@given(WHOLE, st.integers(0, 3))
def test_every_whole_number_is_counted_or_there_are_too_few(
    numbers: list[float], missing: int
) -> None:
    cell = counted(numbers, missing=missing)
    assert cell.whole
    assert cell.missing == missing
    assert sum(cell.counts) == (len(numbers) if len(numbers) >= 10 else 0)
    assert cell.counted == (len(numbers) >= 10)


@given(DECIMAL)
def test_every_number_is_counted_or_there_are_too_few(numbers: list[float]) -> None:
    cell = counted(numbers, "weight")
    assert not cell.whole
    assert sum(cell.counts) == (len(numbers) if len(numbers) >= 10 else 0)


@given(WHOLE | DECIMAL)
def test_no_bin_holds_fewer_than_five_rows_and_edges_ascend(numbers: list[float]) -> None:
    for key in ("age", "weight"):
        cell = counted([round(number) for number in numbers] if key == "age" else numbers, key)
        assert all(count >= 5 for count in cell.counts)
        assert all(low < high for low, high in pairwise(cell.edges))
        assert len(cell.edges) == (len(cell.counts) + 1 if cell.counts else 0)
        assert len(cell.counts) <= 20


@given(WHOLE.filter(lambda numbers: len(numbers) >= 10))
def test_whole_numbers_lie_between_the_edges_and_never_on_one(numbers: list[float]) -> None:
    assert all(edge % 1 == 0.5 for edge in counted(numbers).edges)


def test_one_far_value_does_not_move_the_outer_edge() -> None:
    """The highest income of a company is that of one person."""
    many = list(np.linspace(20, 60, 500))
    assert counted([*many, 249.0], "weight").edges[-1] < 65
    assert counted([*many, -1.5], "weight").edges[0] > 15


def test_the_order_of_the_rows_does_not_matter() -> None:
    numbers = list(np.random.default_rng(3).integers(-5, 90, 300))
    assert counted(numbers) == counted(sorted(numbers))


@given(WORDS)
def test_every_text_is_counted_pooled_or_too_rare(values: list[str | None]) -> None:
    cell = texts(values)
    present = [value for value in values if value is not None]
    assert cell.missing == len(values) - len(present)
    assert all(count >= 5 for count in cell.values.values())
    for value, count in cell.values.items():
        if value != OTHER:
            assert count == present.count(value)
    rare = [value for value in set(present) if present.count(value) < 5]
    pooled = sum(present.count(value) for value in rare)
    assert cell.values.get(OTHER, 0) == (pooled if pooled >= 5 else 0)


REFERENCES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.builds(
        Texts,
        values=st.dictionaries(st.text(max_size=5), st.integers(0, 10**6), max_size=4),
        missing=st.integers(0, 50),
    )
    | WHOLE.map(counted),
)


@given(REFERENCES)
def test_a_reference_is_read_as_it_was_written(reference: Reference) -> None:
    assert read_reference(json.dumps(msgspec.to_builtins(reference)).encode()) == reference


@given(REFERENCES, st.integers(0, 300))
def test_rows_are_as_many_as_wanted_and_always_the_same(reference: Reference, rows: int) -> None:
    made, again = rows_from(reference, rows), rows_from(reference, rows)
    assert made.keys() == reference.keys()
    for key, values in made.items():
        assert values.shape == (rows,)
        np.testing.assert_array_equal(values, again[key])


@given(WHOLE.filter(lambda numbers: len(numbers) >= 10), st.integers(1, 5))
def test_rows_from_a_histogram_make_that_histogram(numbers: list[float], times: int) -> None:
    cell = counted(numbers, missing=2)
    rows = (len(numbers) + 2) * times
    values = rows_from({"age": cell}, rows)["age"]
    assert np.isnan(values).sum() == 2 * times
    found, _ = np.histogram(values[~np.isnan(values)], cell.edges)
    assert found.tolist() == [count * times for count in cell.counts]
    assert (values[~np.isnan(values)] % 1 == 0).all()


def test_rows_of_texts_have_their_shares_to_the_row() -> None:
    cell = Texts(values={"Low": 1, "High": 1}, missing=1)
    values = rows_from({"tier": cell}, 10)["tier"].tolist()
    assert sorted(values.count(value) for value in ("Low", "High", None)) == [3, 3, 4]


def test_of_a_column_of_which_nothing_is_known_all_rows_are_missing() -> None:
    made = rows_from({"age": Numbers(), "tier": Texts()}, 4)
    assert np.isnan(made["age"]).all()
    assert made["tier"].tolist() == [None] * 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"age": {"kind": "word"}}',
        b'{"age": {"kind": "number", "edges": ["a"]}}',
        b'{"age": {"kind": "text", "values": {"a": 1.5}}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_reference_that_does_not_follow_its_schema_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        read_reference(content)
    assert caught.value.what.startswith("reference.json does not follow its schema: ")
    assert caught.value.fix == "Build the model artifact anew."
