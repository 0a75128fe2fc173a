"""One path from values to features: training, batch, service and prompt give the same bits, or
refuse the same.
"""

import asyncio
import json
import math
import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.gate_cases import CONTRACT, columns, contract, matrix, small
from support.rich_contract import rich

from bento.http.records import Reader
from sluice.errors import Refused
from sluice.model.data.table import read_table, typed
from sluice.served.contract import Column, Contract, load_contract
from sluice.served.days import written as day_written
from sluice.served.encoding import (
    InvalidFields,
    assemble,
    encode,
    feature_names,
    layout,
    numeric_features,
    read_records,
)
from sluice.served.records import read_all

Record = dict[str, Any]
# What people write into a cell, blanks at its ends too, but no line ends or controls.
ANY_LETTER = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))
# twenty-five rows take minutes to make smaller
QUICKLY = set(Phase) - {Phase.shrink, Phase.explain}


def value_of(column: Column) -> st.SearchStrategy[Any]:
    """What may stand in a column: a number, a text, or None where that is imputed or kept."""
    if column.kind == "integer":
        values: st.SearchStrategy[Any] = st.integers(
            int(column.minimum or 0), int(column.maximum or 0)
        )
    elif column.kind == "number":
        values = st.floats(column.minimum, column.maximum)
    elif column.kind == "date":
        days = st.integers(int(column.minimum or 0), int(column.maximum or 0))
        values = days.map(day_written)
    else:
        values = st.sampled_from(column.values)
        if column.other:
            values |= st.text(ANY_LETTER, max_size=200).filter(
                lambda text: column.reading.plain(text, numeric=False) != ""
            )
    return st.none() | values if column.missing == "impute" or column.kept else values


def records(of: Contract) -> st.SearchStrategy[list[Record]]:
    """Twenty-five rows by published name, features only."""
    row = st.fixed_dictionaries({column.name: value_of(column) for column in of.features})
    return st.lists(row, min_size=25, max_size=25)


def frame(of: Contract, rows: list[Record]) -> pd.DataFrame:
    """These rows with what else a table has: id, target, protected and ignored columns."""
    table = pd.DataFrame(rows, dtype=object)
    for column in of.columns:
        if column.role == "id":
            table[column.name] = (
                range(1, len(rows) + 1)
                if column.numeric
                else [f"n{row}" for row in range(len(rows))]
            )
        elif column.role == "weight":
            table[column.name] = [1.5] * len(rows)
        elif column.role != "feature":
            table[column.name] = [
                column.values[row % len(column.values)] for row in range(len(rows))
            ]
    return table


def written(value: Any, place: int) -> str:
    """A value as people write it into a CSV: there is more than one way to write a whole number,
    and zero.
    """
    if value is None:
        return ""
    if isinstance(value, int):
        zero = "-0" if place % 2 else "0"
        return (
            zero if value == 0 else (f"{value}", f"{value}.0", f"{value:+}", f"{value}.")[place % 4]
        )
    return repr(value) if isinstance(value, float) else str(value)


def training(of: Contract, rows: list[Record]) -> np.ndarray:
    """From the bytes of a CSV."""
    table = frame(of, rows)
    for name in table:
        table[name] = [written(value, place) for place, value in enumerate(table[name])]
    return encode(of, typed(read_table(table.to_csv(index=False).encode(), of, "rows.csv"), of))


def batch(of: Contract, rows: list[Record]) -> np.ndarray:
    """From the bytes of a Parquet file, numbers as numbers and flags as flags."""
    table = frame(of, rows)
    for column in of.columns:
        if column.kind == "date":
            table[column.name] = pd.to_datetime(table[column.name]).dt.date
        elif column.role == "feature" and column.numeric:
            table[column.name] = table[column.name].astype("float64")
        elif column.role == "feature" and column.kind == "boolean":
            table[column.name] = [value == column.values[1] for value in table[column.name]]
    return encode(of, typed(read_table(table.to_parquet(index=False), of, "rows.parquet"), of))


def sent(of: Contract, rows: list[Record]) -> list[Record]:
    """As JSON: names or keys, flags as true and false or as texts, what is missing as null or left
    out.
    """
    found = []
    for place, row in enumerate(rows):
        fields = {}
        for column in of.features:
            value = row[column.name]
            if column.kind == "boolean" and place % 4 == 1:
                value = value == column.values[1]
            if column.numeric and value == 0 and place % 2:
                value = -0.0
            if value is not None or place % 3:
                fields[column.name if place % 2 else column.key] = value
        found.append(dict(reversed(fields.items())))
    read: list[Record] = json.loads(json.dumps(found))
    return read


def service(of: Contract, rows: list[Record]) -> np.ndarray:
    """From JSON, the thorough way."""
    return encode(of, read_records(of, sent(of, rows)))


def service_by_record(of: Contract, rows: list[Record]) -> np.ndarray:
    """From the bytes of a request, one record each."""
    read = Reader(of).one
    numbers = [read(json.dumps(record).encode())[0] for record in sent(of, rows)]
    return assemble(layout(of), np.array(numbers) + 0.0)


def service_by_body(of: Contract, rows: list[Record]) -> np.ndarray:
    """From the bytes of a request, a list."""
    return assemble(
        layout(of),
        asyncio.run(Reader(of).many(json.dumps(sent(of, rows)).encode(), len(rows))).numbers,
    )


def service_by_list(of: Contract, rows: list[Record]) -> np.ndarray:
    """From JSON, the quick way for a list."""
    return assemble(layout(of), read_all(of, sent(of, rows)))


def typed_by_hand(column: Column, text: str) -> Any:
    """What a prompt makes of the text that a person typed."""
    if text == "":
        return None
    return float(text) if column.numeric and column.kind != "date" else text


def prompt(of: Contract, rows: list[Record]) -> np.ndarray:
    """From texts as a person types them, one record at a time."""
    matrices = []
    for place, row in enumerate(rows):
        record = {c.key: typed_by_hand(c, written(row[c.name], place)) for c in of.features}
        matrices.append(encode(of, read_records(of, [record])))
    return np.concatenate(matrices)


def bits(features: np.ndarray) -> np.ndarray:
    """The bits of a matrix, in which -0 is not 0 and NaN is NaN."""
    return features.view(np.uint32)


def assert_all_paths_agree(of: Contract, rows: list[Record]) -> None:
    first = training(of, rows)
    assert first.shape == (len(rows), len(feature_names(of)))
    assert first.dtype == np.float32
    assert not np.isinf(first).any()
    if not any(column.kept for column in of.features):
        assert np.isfinite(first).all()
    for path in (batch, service, service_by_record, service_by_body, service_by_list, prompt):
        np.testing.assert_array_equal(bits(path(of, rows)), bits(first), err_msg=path.__name__)


@given(records(contract()))
@settings(max_examples=20, deadline=None, phases=QUICKLY)
def test_all_paths_give_the_same_bits_for_the_shipped_contract(rows: list[Record]) -> None:
    assert_all_paths_agree(contract(), rows)


@given(records(small()))
@settings(max_examples=20, deadline=None, phases=QUICKLY)
def test_all_paths_give_the_same_bits_for_every_kind_and_every_way_of_missing(
    rows: list[Record],
) -> None:
    assert_all_paths_agree(small(), rows)


@given(records(rich()))
@settings(max_examples=25, deadline=None, phases=QUICKLY)
def test_all_paths_give_the_same_bits_for_what_is_missing_unlisted_or_a_date(
    rows: list[Record],
) -> None:
    assert_all_paths_agree(rich(), rows)


def test_two_thousand_rows_give_the_same_bits_one_by_one_and_together() -> None:
    table = {column.name: columns()[column.key] for column in contract().features}
    rows = [
        dict(zip(table, cells, strict=True))
        for cells in zip(*(v.tolist() for v in table.values()), strict=True)
    ]
    features = matrix()[0]
    np.testing.assert_array_equal(bits(service(contract(), rows)), bits(features))
    np.testing.assert_array_equal(bits(prompt(contract(), rows[:50])), bits(features[:50]))
    keyed = [{column.key: row[column.name] for column in contract().features} for row in rows]
    for sent_alike in (rows, keyed):
        np.testing.assert_array_equal(
            bits(assemble(layout(contract()), read_all(contract(), sent_alike))), bits(features)
        )


ROW: Record = {
    "Age": 40,
    "Weight": 70.5,
    "Spend": 1,
    "Visits": 2,
    "Tier": "Low",
    "Region": "Süd",
    "Pays-Late?": True,
}


def features(**changed: Any) -> dict[str, float]:
    record = {name: value for name, value in (ROW | changed).items() if value is not ...}
    return dict(
        zip(
            feature_names(small()),
            encode(small(), read_records(small(), [record]))[0].tolist(),
            strict=True,
        )
    )


def test_the_matrix_of_one_row_written_down() -> None:
    assert features() == {
        "age": 40.0,
        "weight": 70.5,
        "spend": 1.0,
        "visits": 2.0,
        "tier": 0.0,
        "region=N": 0.0,
        "region=Süd": 1.0,
        "late": 1.0,
        "density": pytest.approx(70.5 / 140),
        "risky": 1.0,
    }
    assert numeric_features(small()) == (True,) * 4 + (False,) * 4 + (True, False)
    assert sum(numeric_features(contract())) == 9


@pytest.mark.parametrize("left_out", [None, ...])
def test_what_is_missing_is_filled_as_the_contract_says(left_out: Any) -> None:
    found = features(Spend=left_out, Visits=left_out, Tier=left_out, Region=left_out)
    filled = (
        found["spend"],
        found["visits"],
        found["tier"],
        found["region=N"],
        found["region=Süd"],
        found["risky"],
    )
    assert filled == (12.5, 3.0, 1.0, 1.0, 0.0, 1.0)


BAD: list[tuple[str, Any, str]] = [
    ("Age", -6, "-6"),
    ("Age", 91, "91"),
    ("Age", 40.5, "40.5"),
    ("Age", "40", "'40'"),
    ("Age", True, "True"),
    ("Age", None, "missing"),
    ("Age", ..., "missing"),
    ("Age", math.nan, "missing"),
    ("Age", math.inf, "inf"),
    ("Age", -math.inf, "-inf"),
    ("Age", 10**400, "1000000000"),
    ("Age", [40], "[40]"),
    ("Age", {"a": 1}, "{'a': 1}"),
    ("Weight", 250.00001, "250.00001"),
    ("Weight", -1.6, "-1.6"),
    ("Spend", math.nan, "missing"),
    ("Spend", -0.01, "-0.01"),
    ("Tier", "low", "'low'"),
    ("Tier", "", "''"),
    ("Tier", 0, "0"),
    ("Tier", "Low ", "'Low '"),
    ("Tier", ["Low"], "['Low']"),
    ("Region", "Su\u0308d", "'Su\u0308d'"),
    ("Region", True, "True"),
    ("Pays-Late?", "yes", "'yes'"),
    ("Pays-Late?", 1, "1"),
    ("Pays-Late?", None, "missing"),
]


@pytest.mark.parametrize(("field", "value", "shown"), BAD)
def test_a_value_that_is_not_allowed_is_named_with_what_is(
    field: str, value: Any, shown: str
) -> None:
    with pytest.raises(InvalidFields) as caught:
        features(**{field: value})
    [error] = caught.value.errors
    column = small().find(field)
    assert column is not None
    assert (error.row, error.field, error.allowed) == (0, field, column.allowed)
    assert error.value.startswith(shown)
    assert len(error.value) <= 80
    assert isinstance(caught.value, Refused)
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("record", "field", "allowed"),
    [
        (ROW | {"Sex": "F"}, "Sex", "only: age"),
        (ROW | {"Customer ID": "n1"}, "Customer ID", "only: age"),
        (ROW | {"Churn": "Yes"}, "Churn", "only: age"),
        (ROW | {"x" * 200: 1}, "x" * 80, "only: age"),
        (ROW | {"age": 40}, "age", "each field once"),
    ],
)
def test_a_field_that_the_model_is_not_fed_is_refused(
    record: Record, field: str, allowed: str
) -> None:
    with pytest.raises(InvalidFields) as caught:
        read_records(small(), [ROW, record])
    [error] = caught.value.errors
    assert (error.row, error.field) == (1, field)
    assert error.allowed.startswith(allowed)


def test_all_errors_are_collected_but_not_without_end() -> None:
    with pytest.raises(InvalidFields) as caught:
        read_records(small(), [ROW, ROW | {"Age": 0.5, "Tier": "?"}, ROW | {"Weight": None}])
    assert [(error.row, error.field) for error in caught.value.errors] == [
        (1, "Age"),
        (1, "Tier"),
        (2, "Weight"),
    ]
    with pytest.raises(InvalidFields) as caught:
        read_records(small(), [{}] * 500)
    assert len(caught.value.errors) == 100
    wrong = columns() | {"age": np.zeros(2_000)}
    with pytest.raises(InvalidFields) as caught:
        encode(contract(), wrong)
    assert len(caught.value.errors) == 100
    assert caught.value.errors[7].row == 7


def test_nobody_looks_on_where_enough_is_wrong() -> None:
    seen: list[int] = []
    wrong = (seen.append(number) or {} for number in range(1000))  # type: ignore[func-returns-value]
    with pytest.raises(InvalidFields):
        read_records(contract(), wrong)  # type: ignore[arg-type]
    assert len(seen) <= 100


@pytest.mark.parametrize(
    ("key", "value"),
    [("age", 17.0), ("age", 30.5), ("age", np.nan), ("job_level", "Junior"), ("job_level", None)],
)
def test_columns_that_were_not_validated_are_refused_by_the_encoder_too(
    key: str, value: Any
) -> None:
    changed = columns()[key].copy()
    changed[1_234] = value
    with pytest.raises(InvalidFields, match="row 1234"):
        encode(contract(), columns() | {key: changed})


@given(st.sampled_from([column.name for column in small().features]), st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_is_sent_is_encoded_or_refused(name: str, data: st.DataObject) -> None:
    simple = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    value = data.draw(
        simple
        | st.lists(simple, max_size=2)
        | st.dictionaries(st.text(max_size=2), simple, max_size=2)
    )
    try:
        found = encode(small(), read_records(small(), [ROW | {name: value}]))
    except InvalidFields as refused:
        assert [error.field for error in refused.errors] == [name]
    else:
        assert np.isfinite(found).all()


@given(
    st.dictionaries(
        st.text() | st.sampled_from([c.key for c in small().features]),
        st.none() | st.text(),
        max_size=4,
    )
)
def test_whatever_record_is_sent_is_refused_with_its_fields(record: Record) -> None:
    with pytest.raises(InvalidFields) as caught:
        read_records(small(), [record])
    assert all(error.row == 0 and error.allowed for error in caught.value.errors)


def derived(expression: str) -> Contract:
    return load_contract(f'{CONTRACT}\n[derived.odd]\nexpression = "{expression}"\n')


@pytest.mark.parametrize(
    "expression", ["age / (age - age)", "1e299 * age * 1e299", "age * 1e38", "-1 / (age * 0)"]
)
def test_a_derived_value_that_is_no_number_is_refused(expression: str) -> None:
    with pytest.raises(InvalidFields, match="odd") as caught:
        encode(derived(expression), columns())
    assert caught.value.errors[0].allowed == expression


def test_a_contract_of_numbers_alone_has_a_column_each() -> None:
    raw = tomllib.loads(CONTRACT)
    del raw["segments"], raw["columns"]["Job Role"]
    numbers = load_contract(tomli_w.dumps(raw))
    assert feature_names(numbers) == tuple(
        name for name in feature_names(contract()) if "=" not in name
    )
    found = encode(numbers, columns())
    np.testing.assert_array_equal(
        found, matrix()[0][:, [n in feature_names(numbers) for n in feature_names(contract())]]
    )


def test_a_derived_constant_fills_its_column() -> None:
    found = encode(derived("1 + 1"), columns())
    assert found.shape == (2_000, len(feature_names(contract())) + 1)
    assert (found[:, -1] == 2).all()


@pytest.mark.parametrize("build", [training, service])
def test_no_rows_and_one_row_have_the_same_width(
    build: Callable[[Contract, list[Record]], np.ndarray],
) -> None:
    width = len(feature_names(small()))
    assert encode(small(), read_records(small(), [])).shape == (0, width)
    assert build(small(), [ROW | {"Pays-Late?": "Yes"}]).shape == (1, width)


def test_the_order_of_columns_and_fields_does_not_matter() -> None:
    table = frame(small(), [ROW | {"Pays-Late?": "Yes"}] * 3).astype(str)
    plain, turned = (
        encode(small(), typed(read_table(part.to_csv(index=False).encode(), small(), "a"), small()))
        for part in (table, table[table.columns[::-1]])
    )
    np.testing.assert_array_equal(bits(plain), bits(turned))
