"""The reader of tables that people hand in: how cells are separated, which line a row is in, and
what is advised.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.model_artifacts import MODEL

from flows.predict.rows_file import read_rows
from sluice.errors import Refused
from sluice.served.contract import Contract, load_contract
from sluice.served.uploaded_table import read_csv

TEXT = (MODEL / "contract.toml").read_text(encoding="utf-8")
CONTRACT = load_contract(TEXT)
GOOD = {column.name: str(column.example) for column in CONTRACT.features}
HR = 'Save it as CSV (UTF-8) with "Save as".'


def table(*rows: Mapping[str, str], separator: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def without(*names: str) -> bytes:
    return table({name: value for name, value in GOOD.items() if name not in names}).encode()


def refused(data: bytes, contract: Contract = CONTRACT, advice: str = "") -> Refused:
    with pytest.raises(Refused) as caught:
        read_csv(data, contract, "x.csv", advice=advice)
    return caught.value


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("declared", "separator"),
    [
        ("sep=,", ","),
        ("sep=;", ";"),
        ('"sep=;"', ";"),
        ("SEP=\t", "\t"),
        ("sep=| ", "|"),
        ("sep=^", "^"),
    ],
)
def test_the_first_line_may_say_what_separates(
    declared: str, separator: str, end: str, mark: str, tmp_path: Path
) -> None:
    text = f"{mark}{declared}{end}" + table(GOOD, GOOD | {"Age": "3"}, separator=separator).replace(
        "\r\n", end
    )
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    for sheet in (read_csv(text.encode(), CONTRACT, "x.csv"), read_rows(path, CONTRACT)):
        assert [(row.line, row.record["age"]) for row in sheet.rows] == [(3, int(GOOD["Age"]))]
        assert [(problem.line, problem.errors[0].field) for problem in sheet.problems] == [
            (4, "Age")
        ]


def test_a_line_that_says_what_separates_is_no_table() -> None:
    assert "names no column of the model" in refused(b"sep=;\r\n").what
    assert "names no column of the model" in refused(b"sep=;\r\n" + without()).what


def test_lines_are_those_of_the_file_where_blank_ones_stand_above() -> None:
    sheet = read_csv(b"\r\n\r\n" + table(GOOD, GOOD | {"Age": "3"}).encode(), CONTRACT, "x.csv")
    assert ([row.line for row in sheet.rows], [problem.line for problem in sheet.problems]) == (
        [4],
        [5],
    )


@pytest.mark.parametrize("written", ["7300,00", "7.300", "7.300,00", "7 300", "7'300"])
def test_a_decimal_comma_and_marks_between_thousands_are_refused_not_guessed_at(
    written: str,
) -> None:
    text = table(GOOD | {"Monthly Income": written}, separator=";")
    [problem] = read_csv(text.encode(), CONTRACT, "x.csv").problems
    assert [(error.field, error.value) for error in problem.errors] == [
        ("Monthly Income", repr(written))
    ]


def test_an_empty_cell_is_advised_only_where_the_contract_allows_it() -> None:
    assert refused(without("Age")).fix == "Add what is missing."
    assert refused(without("Age", "Distance from Home")).fix == "Add what is missing."
    assert (
        refused(without("Distance from Home")).fix
        == "Add what is missing; an empty cell says not known."
    )
    renamed = without().replace(b"Distance from Home", b"Distance")
    assert refused(renamed).fix.endswith(
        "not known. Is it one of these, under another name: Distance?"
    )


FOREIGN = {
    "xlsx": (b"PK\x03\x04rest", "an Excel workbook"),
    "xls": (b"\xd0\xcf\x11\xe0rest", "an old Excel workbook"),
    "parquet": (b"PAR1\x15\x04\x15", "a Parquet file"),
    "binary": (without() + b"\x00", "binary (byte 0x00"),
    "UTF-16": (without().decode().encode("utf-16"), "UTF-16 text"),
    "Windows": (without() + "ü".encode("cp1252"), "UTF-8 is required"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_who_reads_the_advice_decides_how_it_is_worded(kind: str) -> None:
    data, what = FOREIGN[kind]
    told = refused(data, advice=HR)
    assert what in told.what
    assert told.fix == HR
    assert ("iconv" in refused(data).fix) == (kind in ("UTF-16", "Windows"))
    assert ("or Parquet" in refused(data).fix) == (kind not in ("UTF-16", "Windows"))
