"""[reading] of a contract: the same in training, in an uploaded table and in a cell."""

import numpy as np
import pytest
from support.gate_cases import SMALL

from sluice.errors import UsageError
from sluice.model.data.table import numbers, read_table, typed
from sluice.served.cells import read_cell, read_table_cell
from sluice.served.contract import Contract, load_contract
from sluice.served.reading import Reading
from sluice.served.table_refusals import TableRefused
from sluice.served.uploaded_table import read_csv

TABLE = """
schema = 2
[target]
column = "Left"
positive = "ja"
negative = "nein"
[reading]
encoding = "windows-1252"
missing = ["?", " ", "NA"]
decimal = ","
[columns."Nr"]
role = "id"
kind = "category"
[columns."Größe"]
role = "feature"
kind = "number"
minimum = 0
maximum = 9
missing = "impute"
fill = 1.5
[columns."Notiz"]
role = "ignored"
[columns."Left"]
role = "target"
kind = "category"
values = ["nein", "ja"]
"""
ROWS = 'Nr;Größe;Notiz;Left\na;1,25;x;ja\nb;?;"NA";nein\nc;2;y;ja\n'


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract(TABLE)


def test_training_and_an_uploaded_table_read_the_same(contract: Contract) -> None:
    data = ROWS.encode("windows-1252")
    columns = typed(read_table(data, contract, "t"), contract)
    assert np.array_equal(columns["grosse"], [1.25, np.nan, 2.0], equal_nan=True)
    sheet = read_csv(data, contract, "t")
    assert [row.record["grosse"] for row in sheet.rows] == [1.25, None, 2]
    assert not sheet.problems


def test_a_table_with_the_mark_of_utf8_is_read_as_such(contract: Contract) -> None:
    assert read_csv(ROWS.encode("utf-8-sig"), contract, "t").rows[0].record == {"grosse": 1.25}


def test_a_point_is_no_decimal_sign_where_the_comma_is(contract: Contract) -> None:
    data = ROWS.replace("1,25", "1.25").encode("windows-1252")
    assert np.isnan(numbers(contract.features[0], read_table(data, contract, "t")["Größe"])[0])
    [problem] = read_csv(data, contract, "t").problems
    assert "the decimal sign is a comma" in problem.errors[0].value


def test_a_person_may_type_either_sign(contract: Contract) -> None:
    size = contract.features[0]
    assert [read_cell(size, text) for text in ("1,25", "1.25", "NA")] == [1.25, 1.25, None]
    assert read_table_cell(size, " ? ") is None


def test_bytes_in_another_encoding_are_refused() -> None:
    text = TABLE.replace("windows-1252", "ascii")
    with pytest.raises(TableRefused, match="ascii is required by the contract"):
        read_table(ROWS.encode("windows-1252"), load_contract(text), "t")


def test_a_character_of_its_own_may_separate() -> None:
    contract = load_contract(TABLE.replace("[reading]", '[reading]\ndelimiter = "^"'))
    data = ROWS.replace(";", "^").encode("windows-1252")
    assert len(read_csv(data, contract, "t").rows) == 3
    assert len(read_table(data, contract, "t")) == 3


WRONG = {
    'delimiter = "ab"': "delimiter is 'ab'",
    'encoding = "klingon"': "encoding is 'klingon'",
    'encoding = "base64"': "encoding is 'base64'",
    "missing = 3": "missing is 3",
    'decimal = ";"': "decimal is ';'",
    "trim = true": "trim is not a known key",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_named(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_contract(f"{SMALL}\n[reading]\n{line}\n")
    assert WRONG[line] in caught.value.what
    assert "[reading]" in caught.value.what


def test_without_the_table_the_usual_reading_holds() -> None:
    assert load_contract(SMALL).reading == Reading()
