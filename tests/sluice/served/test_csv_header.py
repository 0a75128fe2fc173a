"""The header of a CSV: found below marks, blank lines and `sep=`, whatever separates it."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import small

from sluice.served.csv_header import Header, Opening, find_opening, read_header
from sluice.served.table_refusals import TableRefused

NAMES = tuple(column.name for column in small().columns)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def line_of(names: tuple[str, ...], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="").writerow(names)
    return text.getvalue()


def header(text: str) -> Header:
    return read_header(text.encode(), small(), "people.csv")


def refused(text: str) -> TableRefused:
    with pytest.raises(TableRefused) as caught:
        header(text)
    return caught.value


@given(
    st.permutations(NAMES),
    st.sampled_from(",;\t|"),
    ENDS,
    st.booleans(),
    st.lists(st.sampled_from(["", " ", "\t "]), max_size=4),
)
def test_a_header_is_read_as_it_was_written(
    names: list[str], separator: str, end: str, mark: bool, blank: list[str]
) -> None:
    above = "".join(text + end for text in blank)
    rows = f"1{separator}2{end}"
    text = "\ufeff" * mark + above + line_of(tuple(names), separator) + end + rows
    found = header(text)
    assert found.names == tuple(names)
    assert found.separator == separator
    assert found.lines == len(blank) + 1
    assert text.encode()[found.end :] == rows.encode()


@given(st.sampled_from(",;\t|^~: "), ENDS)
def test_a_declared_separator_is_taken_and_its_line_is_counted(separator: str, end: str) -> None:
    text = f"sep={separator}{end}{line_of(NAMES, separator)}{end}"
    start = len(f"sep={separator}{end}".encode())
    assert find_opening(text.encode(), small()) == Opening(start, 2, separator)
    assert header(text).names == NAMES


def test_the_separator_that_names_the_most_columns_wins() -> None:
    """A comma within a name of somebody else's column does not make it a CSV with commas."""
    opening = find_opening(b"Age;Weight;Sex, as registered;Spend\n", small())
    assert opening.separator == ";"
    assert find_opening(b"nothing of ours\n", small()).separator == ","
    assert find_opening(b"age|weight\n", small()).separator == "|"


def test_nothing_at_all_opens_at_its_end() -> None:
    assert find_opening(b"", small()) == Opening(0, 1, ",")
    assert find_opening(b"\xef\xbb\xbf\r\n\r\n", small()) == Opening(7, 3, ",")


def test_many_blank_lines_are_passed_over_at_once() -> None:
    assert find_opening(b"\n" * 200_000 + b"Age,Weight\n", small()).line == 200_001


def test_a_header_without_rows_ends_where_the_file_does() -> None:
    text = ",".join(NAMES)
    assert header(text).end == len(text.encode())


def test_a_line_that_names_no_column_is_no_header() -> None:
    assert refused("40,70,12\n").rule == "no header"
    assert refused("").rule == "no header"


def test_a_name_that_is_there_twice() -> None:
    refusal = refused("Age,Weight,Age\n")
    assert refusal.rule == "duplicate column"
    assert "'Age'" in refusal.what


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_header_that_is_there_again_is_found_with_its_line(end: str) -> None:
    refusal = refused(f"Age,Weight{end}40,70{end}41,71{end}Age,Weight{end}")
    assert refusal.rule == "header twice"
    assert refusal.what == (
        "people.csv has its header a second time, in line 4; one header is required"
    )


def test_a_header_within_a_longer_line_hides_no_second_one() -> None:
    inside = "Age,Weight\n40,70,Age,Weight\n"
    assert header(inside).names == ("Age", "Weight")
    assert "in line 3;" in refused(f"{inside}Age,Weight\n").what


def test_one_column_alone_may_hold_its_own_name() -> None:
    assert header("Age\nAge\n").names == ("Age",)
