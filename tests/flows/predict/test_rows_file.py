"""A file of people: the same people are the same records, whatever kind of file they come in."""

import io
import json
import math
from pathlib import Path
from random import Random

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.model_artifacts import MODEL

from flows.predict.rows_file import read_rows
from sluice.errors import Refused, UsageError
from sluice.served.contract import Column, load_contract
from sluice.served.uploaded_table import Sheet

CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))
GOOD = {column.key: column.example for column in CONTRACT.features}
NAMES = {column.key: column.name for column in CONTRACT.columns}
# A folder of the test is used by every example, and each example writes its own file anew.
MANY = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def values(column: Column) -> st.SearchStrategy[object]:
    """What the contract allows in a column."""
    if column.values:
        return st.sampled_from(column.values)
    assert column.minimum is not None
    assert column.maximum is not None
    numbers = st.integers(int(column.minimum), int(column.maximum))
    return numbers | st.none() if column.missing == "impute" else numbers


PERSON = st.fixed_dictionaries({column.key: values(column) for column in CONTRACT.features})
PEOPLE = st.lists(PERSON, min_size=1, max_size=4)


def read(folder: Path, content: bytes, name: str = "people.data") -> Sheet:
    (folder / name).write_bytes(content)
    return read_rows(folder / name, CONTRACT)


def frame(people: list[dict[str, object]]) -> pd.DataFrame:
    numbered = [{"employee_id": number, **person} for number, person in enumerate(people, 1)]
    table = pd.DataFrame(numbered).rename(columns=NAMES)
    numeric = [column.name for column in CONTRACT.features if column.numeric]
    return table.astype(dict.fromkeys(numeric, "Int64"))


def parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()


@given(PEOPLE)
@MANY
def test_the_same_people_are_the_same_records_in_every_kind_of_file(
    tmp_path: Path, people: list[dict[str, object]]
) -> None:
    table = frame(people)
    lines = [json.dumps({"employee_id": number, **one}) for number, one in enumerate(people, 1)]
    sheets = [
        read(tmp_path, table.to_csv(index=False).encode()),
        read(tmp_path, parquet(table)),
        read(tmp_path, "\n".join(lines).encode()),
    ]
    for sheet in sheets:
        assert sheet.problems == ()
        assert [dict(row.record) for row in sheet.rows] == people
        assert [row.id for row in sheet.rows] == [str(number + 1) for number in range(len(people))]


@given(PEOPLE, st.randoms(use_true_random=False))
@MANY
def test_the_order_of_the_columns_and_their_spelling_do_not_matter(
    tmp_path: Path, people: list[dict[str, object]], random: Random
) -> None:
    table = frame(people)
    columns = list(table.columns)
    random.shuffle(columns)
    keys = {name: key for key, name in NAMES.items()}
    shuffled = table[columns].rename(columns={name: keys[name] for name in columns[::2]})
    there = read(tmp_path, parquet(shuffled)).rows
    assert [row.record for row in there] == [
        row.record for row in read(tmp_path, parquet(table)).rows
    ]


def test_what_pandas_writes_for_nothing_is_nothing(tmp_path: Path) -> None:
    table = frame([GOOD]).astype({"Distance from Home": "float64"})
    table["Distance from Home"] = math.nan
    [row] = read(tmp_path, parquet(table)).rows
    assert row.record["distance_from_home"] is None


def test_an_empty_text_in_a_parquet_file_is_no_value(tmp_path: Path) -> None:
    table = frame([GOOD]).astype({"Age": "str"})
    table["Age"] = ""
    [problem] = read(tmp_path, parquet(table)).problems
    assert [error.field for error in problem.errors] == ["Age"]


def test_a_parquet_file_without_a_row_is_an_empty_sheet(tmp_path: Path) -> None:
    assert read(tmp_path, parquet(frame([GOOD]).head(0))) == Sheet((), (), ())


def test_columns_that_the_model_is_not_fed_are_named_and_left_out(tmp_path: Path) -> None:
    table = frame([GOOD]).assign(Gender="Male", Shoe=43)
    sheet = read(tmp_path, parquet(table))
    assert set(sheet.unused) == {"Gender", "Shoe"}
    assert set(sheet.rows[0].record) == set(GOOD)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_that_is_missing_is_named(kind: str, tmp_path: Path) -> None:
    table = frame([GOOD]).drop(columns="Age")
    content = parquet(table) if kind == "parquet" else table.to_csv(index=False).encode()
    with pytest.raises(Refused) as raised:
        read(tmp_path, content, "staff")
    assert raised.value.what == "staff lacks Age"
    assert raised.value.fix == "Add what is missing."


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"people\.data has more than one column for Age"):
        read(tmp_path, parquet(frame([GOOD]).assign(age=40)))


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n\n", b" \t", b"\xef\xbb\xbf\r\n"])
def test_json_lines_are_known_by_their_first_sign(before: bytes, tmp_path: Path) -> None:
    sheet = read(tmp_path, before + json.dumps(GOOD).encode())
    assert [dict(row.record) for row in sheet.rows] == [GOOD]


@pytest.mark.parametrize("length", [4, 5, 12, 200])
def test_a_parquet_file_that_was_cut_off_is_damaged(length: int, tmp_path: Path) -> None:
    with pytest.raises(Refused) as raised:
        read(tmp_path, parquet(frame([GOOD]))[:length])
    assert raised.value.what == "people.data is a damaged Parquet file"
    assert raised.value.fix == "Copy or export it again."


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        read_rows(tmp_path / "away.csv", CONTRACT)
    assert raised.value.what == f"{tmp_path / 'away.csv'} cannot be read: there is no such file"
    assert raised.value.fix == "Name a CSV, Parquet or JSON lines file."
    with pytest.raises(UsageError, match="cannot be read: it is a folder"):
        read_rows(tmp_path, CONTRACT)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_refused_or_read_and_never_a_crash(tmp_path: Path, content: bytes) -> None:
    try:
        sheet = read(tmp_path, content)
    except Refused as refused:
        assert refused.what.startswith("people.data ")
    else:
        assert sheet.rows == ()
