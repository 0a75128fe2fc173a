"""How a table of unknown make is written, and what is refused."""

import csv
import io
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sluice.draft.sniffing import sniff
from sluice.errors import Refused
from sluice.served.reading import Reading, grouped

ROWS = [("id", "size", "note"), ("a", "1.5", "x"), ("b", "2.5", "y"), ("c", "3", "z")]


def table(separator: str = ",", rows: list[tuple[str, ...]] = ROWS) -> str:
    return "".join(separator.join(row) + "\n" for row in rows)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "^"])
def test_the_separator_is_what_makes_equal_columns(separator: str) -> None:
    found = sniff(table(separator).encode(), "t")
    assert list(found.frame.columns) == ["id", "size", "note"]
    assert found.reading.delimiter == ("^" if separator == "^" else "")


@pytest.mark.parametrize(
    ("encoding", "read"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16")]
)
def test_the_encoding_is_found(encoding: str, read: str) -> None:
    found = sniff(table().replace("x", "ğ").encode(encoding), "t")
    assert found.reading.encoding == read
    assert "ğ" in list(found.frame["note"])


def test_what_is_no_utf8_is_windows_1252() -> None:
    found = sniff(table().replace("x", "ä").encode("cp1252"), "t")
    assert found.reading.encoding == "cp1252"
    assert "ä" in list(found.frame["note"])


def test_a_comma_is_a_decimal_sign_among_numbers_alone() -> None:
    rows = [("id", "size", "note"), ("a", "1,5", "1,5"), ("b", "2,5", "y"), ("c", "3", "z")]
    found = sniff(table(";", rows).encode(), "t")
    assert found.reading.decimal == ","
    assert list(found.frame["size"]) == ["1.5", "2.5", "3"]
    assert list(found.frame["note"]) == ["1,5", "y", "z"]


def test_none_is_a_value_where_texts_have_it() -> None:
    rows = [
        ("id", "size", "note"),
        *((str(n), "None" if n == 3 else "1", "None") for n in range(90)),
    ]
    assert sniff(table(",", rows).encode(), "t").reading.missing == ()
    rows = [(one, size, "x") if one != "id" else (one, size, "note") for one, size, _ in rows]
    assert sniff(table(",", rows).encode(), "t").reading.missing == ("None",)


REFUSED = {
    "no rows": ("a,b,c\n", "no rows"),
    "no header": ("1,2,3\n4,5,6\n", "numbers in its first line"),
    "one name twice": ("a,b,a\n1,2,3\n", "more than one column named 'a'"),
    "no name": (",b,c\nx,2,3\n", "column 1 of t has no name"),
    "a long line": ("a,b,c\n1,2,3\n1,2,3,4\n1,2,3\n", "4 cells in line 3; 3 are required"),
    "one column": ("a\n1\n", "1 columns"),
    "a pointer": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
        "a pointer of git-lfs",
    ),
    "a workbook": ("PK\x03\x04xxxxxxxx", "an Excel workbook"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_table_is_refused(case: str) -> None:
    text, words = REFUSED[case]
    with pytest.raises(Refused, match=words):
        sniff(text.encode(), "t")


@pytest.mark.parametrize(
    ("header", "fix"),
    [(",b,c", "left out by itself"), ("a,,c", "take it out"), ("a,b,", "at the end of each line")],
)
def test_a_column_without_a_name_is_told_by_its_place(header: str, fix: str) -> None:
    with pytest.raises(Refused, match="has no name") as raised:
        sniff(f"{header}\n1x,2,3\n".encode(), "t")
    assert fix in raised.value.fix


@pytest.mark.parametrize(
    "text",
    [
        ",a,b,c\n0,x,2,3\n1,y,4,5\n",  # the row index of pandas
        ",a,b,c\n17,x,2,3\n4,y,4,5\n",  # and of rows that were drawn
        "a,b,c,\nx,2,3,\ny,4,5,\n",  # a comma at the end of each line
    ],
)
def test_a_column_without_a_name_that_says_nothing_is_left_out(text: str) -> None:
    found = sniff(text.encode(), "t").frame
    assert list(found.columns) == ["a", "b", "c"]
    assert [list(map(str, found[name])) for name in found] == [["x", "y"], ["2", "4"], ["3", "5"]]


CELLS = st.lists(
    st.tuples(
        st.text('abc äğ\n";,\t|', min_size=1, max_size=6).map(str.strip),
        st.one_of(st.none(), st.decimals(-999, 999, places=2, allow_nan=False)),
    ),
    min_size=12,
    max_size=30,
)


@given(
    rows=CELLS,
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    missing=st.sampled_from(["", "?", "NA", "#####", "#DIV/0!"]),
    comma=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_table_is_read_alike_however_it_is_written(
    rows: list[tuple[str, Decimal | None]],
    separator: str,
    encoding: str,
    missing: str,
    comma: bool,
) -> None:
    assume(sum(number is not None for _, number in rows) >= 2)
    decimal = "," if comma else "."
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(["key", "note", "size"])
    for place, (note, number) in enumerate(rows):
        size = missing if number is None else str(number).replace(".", decimal)
        writer.writerow([f"k{place}", note, size])
    found = sniff(out.getvalue().encode(encoding), "t")
    assert found.reading.decimal == decimal
    assert list(found.frame["note"]) == [note for note, _ in rows]
    expected = ["" if number is None else str(number) for _, number in rows]
    assert list(found.frame["size"]) == expected


@dataclass(frozen=True)
class Written:
    """Cells of a column and of the one behind it, how they are read, and the numbers that they are;
    none where they are texts.
    """

    cells: tuple[str, ...]
    beside: tuple[str, ...] = ("1", "2", "3")
    separator: str = ";"
    decimal: str = "."
    thousands: str = ""
    signs: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


FRACTIONS = ("1.5", "2.5", "3")
WHOLE = ("1234", "999", "12345")
WRITTEN = {
    "English thousands": Written(
        ('"1,234"', "999", '"12,345"'), FRACTIONS, ",", thousands=",", numbers=WHOLE
    ),
    "whole ones alone": Written(
        ('"1,234"', "999", '"12,345"'), separator=",", thousands=",", numbers=WHOLE
    ),
    "German thousands": Written(
        ("1.234", "999", "12.345"), ("1,5", "2,5", "3"), ";", ",", ".", numbers=WHOLE
    ),
    "both": Written(
        ("1.234,50", "999,10", "12.345,25"),
        decimal=",",
        thousands=".",
        numbers=("1234.50", "999.10", "12345.25"),
    ),
    "three decimals": Written(("1.234", "12.345", "0.999"), numbers=("1.234", "12.345", "0.999")),
    "Swiss": Written(
        ("1'234.50", "999.1", "12\u2019345"), thousands="'", numbers=("1234.50", "999.1", "12345")
    ),
    "French": Written(
        ("1 234,5", "999,1", "12\u202f345,2"),
        decimal=",",
        thousands=" ",
        numbers=("1234.5", "999.1", "12345.2"),
    ),
    "money": Written(
        ('"$1,234.5"', "-$999.1", '"$12,345"'),
        separator=",",
        thousands=",",
        signs=("$",),
        numbers=("1234.5", "-999.1", "12345"),
    ),
    "money has no three decimals": Written(
        ("1.234 €", "999 €", "12.345 €"),
        decimal=",",
        thousands=".",
        signs=("€",),
        numbers=WHOLE,
    ),
    "percent": Written(("5 %", "6%", "7.5 %"), signs=("%",), numbers=("5", "6", "7.5")),
    "versions": Written(("1.2.3", "1.2.4", "2.0.1")),
    "telephones": Written(("030 123 456", "040 234 567", "0")),
    "days": Written(("2024-01-02", "2024-01-03", "x")),
    "names of coins": Written(("$ a", "TL", "%")),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_numbers_are_read_as_they_are_written(case: str) -> None:
    one = WRITTEN[case]
    rows = zip("xyz", one.cells, one.beside, strict=True)
    lines = [one.separator.join("abc"), *(one.separator.join(row) for row in rows)]
    found = sniff("\n".join(lines).encode(), "t")
    reading = found.reading
    assert (reading.decimal, reading.thousands) == (one.decimal, one.thousands)
    assert reading.signs == one.signs
    assert tuple(map(str, found.frame["b"])) == (one.numbers or one.cells)
    # A contract that says so reads the same numbers.
    plain = tuple(reading.plain(cell.strip('"'), numeric=True) for cell in one.cells)
    assert plain == one.numbers or not one.numbers


def test_plain_numbers_are_not_matched_against_forms_that_they_cannot_have() -> None:
    """Of a large table that would cost as much as all the rest."""
    lines = ["a,b,c", *(f"x{place},{place / 7:.4f},{place}" for place in range(500))]
    before = grouped.cache_info()
    assert sniff("\n".join(lines).encode(), "t").reading == Reading()
    assert grouped.cache_info() == before
