"""What a cell stands for: the same for a cell of training data and for one that a person types."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model.data.table import numbers
from sluice.served.cells import read_cell, read_table_cell
from sluice.served.contract import Column

TEXTS = st.text(st.sampled_from("0123456789.,+-eE_ \u0665x"), max_size=8)


def column(kind: str) -> Column:
    return Column("Age", "age", kind, "feature", minimum=-1e9, maximum=1e9)


@settings(deadline=None)
@given(TEXTS)
def test_a_cell_is_a_number_where_training_data_have_one(text: str) -> None:
    [trained] = numbers(column("number"), pd.Series([text.strip()], dtype="str"))
    value = read_cell(column("number"), text)
    if value is None or isinstance(value, str):
        assert np.isnan(trained)
    else:
        assert trained == value


@settings(deadline=None)
@given(st.sampled_from(["number", "integer"]), TEXTS)
def test_a_cell_of_a_table_is_what_it_is_in_training(kind: str, text: str) -> None:
    [trained] = numbers(column(kind), pd.Series([text.strip()], dtype="str"))
    value = read_table_cell(column(kind), text)
    if value is None or isinstance(value, str):
        assert np.isnan(trained)
    else:
        assert trained == value


@settings(deadline=None)
@given(TEXTS)
def test_a_whole_number_of_training_data_is_read_from_a_cell_too(text: str) -> None:
    [trained] = numbers(column("integer"), pd.Series([text.strip()], dtype="str"))
    value = read_cell(column("integer"), text)
    assert np.isnan(trained) or trained == value


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", " 31 ", 31),
        ("integer", "31.0", 31.0),
        ("integer", "+7", 7),
        ("integer", "7.5", 7.5),
        ("integer", "1e1", 10.0),
        ("number", "1e1", 10.0),
        ("number", ".5", 0.5),
        ("number", "1,5", "1,5"),
        ("number", "NaN", "NaN"),
        ("number", "", None),
        ("category", "31", "31"),
    ],
)
def test_only_what_is_written_as_a_number_is_one(kind: str, text: str, value: object) -> None:
    read = read_cell(column(kind), text)
    assert (read, type(read)) == (value, type(value))


def test_a_whole_number_of_any_length_is_read() -> None:
    assert read_cell(column("integer"), "9" * 300) == int("9" * 300)
    assert read_cell(column("integer"), "9" * 5000) == float("inf")
