"""Files that are no tables: what a person reads about them, and that none of it is a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import small

from sluice.served.table_refusals import (
    TableRefused,
    check_bytes,
    check_columns,
    duplicate_columns,
    near_form,
    no_header,
    open_quote,
    ragged,
    spelling,
)

NAMES = [column.name for column in small().columns]
REQUIRED = [column.name for column in small().columns if column.role != "ignored"]


def refused(data: bytes, advice: str = "") -> TableRefused:
    with pytest.raises(TableRefused) as caught:
        check_bytes(data, "people.csv", advice)
    return caught.value


def header_refused(names: list[str]) -> TableRefused:
    with pytest.raises(TableRefused) as caught:
        check_columns(names, small(), "people.csv")
    return caught.value


@pytest.mark.parametrize(
    ("data", "rule", "what"),
    [
        (b"", "empty", "people.csv is empty; a table is required"),
        (b"\xef\xbb\xbf \r\n\t\n", "empty", "people.csv is empty; a table is required"),
        (b"\n" * 10_000, "empty", "people.csv is empty; a table is required"),
        (b"\x1f\x8b\x08", "not a CSV", "people.csv is compressed with gzip; a CSV is required"),
        (b"%PDF-1.7", "not a CSV", "people.csv is a PDF; a CSV is required"),
        (b"\x89PNG\r\n", "not a CSV", "people.csv is a picture; a CSV is required"),
        (
            b"SQLite format 3\x00",
            "not a CSV",
            "people.csv is an SQLite database; a CSV is required",
        ),
        (b"ARROW1\x00\x00", "not a CSV", "people.csv is an Arrow file; a CSV is required"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "a pointer of git-lfs",
            "people.csv is a pointer of git-lfs and not the table itself; the table is required",
        ),
        (
            b"a,b\n1,\x07\n",
            "not a CSV",
            "people.csv is binary (byte 0x07 at offset 6); a CSV is required",
        ),
        (
            b"a,b\n1,2\n\xe9,3\n",
            "wrong encoding",
            "people.csv is in another encoding (byte 0xe9 at offset 8, line 3); UTF-8 is required",
        ),
    ],
)
def test_bytes_that_are_no_text_are_named_for_what_they_are(
    data: bytes, rule: str, what: str
) -> None:
    refusal = refused(data)
    assert refusal.rule == rule
    assert refusal.what == what
    assert refusal.exit_code == 3


def test_a_pointer_of_git_lfs_is_told_what_to_type() -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    for data in (pointer, b"\xef\xbb\xbf" + pointer, pointer.replace(b"\n", b"\r\n")):
        with pytest.raises(TableRefused) as raised:
            check_bytes(data, "my people.csv", "Save it as CSV.")
        assert "git lfs pull --include 'my people.csv'" in raised.value.fix


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_text_is_told_from_binary_with_a_mark_and_without(encoding: str) -> None:
    wide = refused("Age,Weight\n40,70\n".encode(encoding))
    assert wide.rule == encoding[:6].upper()
    assert wide.what == f"people.csv is {wide.rule} text; UTF-8 is required"
    assert wide.fix.endswith(f"iconv -f {wide.rule} -t UTF-8 people.csv > utf8.csv")


def test_the_line_of_a_wrong_byte_is_counted_by_every_end_of_line() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        refusal = refused(end.join([b"a,b", b"1,2", b"\xe9,3"]))
        assert ", line 3)" in refusal.what


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_text_in_utf_8_is_taken_whatever_its_letters(text: str) -> None:
    check_bytes(f"x{text}\r\n\t".encode(), "people.csv")


@given(st.binary(max_size=200))
def test_bytes_are_taken_only_where_they_are_text_without_control_characters(data: bytes) -> None:
    try:
        check_bytes(data, "people.csv")
    except TableRefused as refusal:
        assert refusal.what.startswith("people.csv is ")
        assert refusal.fix
    else:
        text = data.decode("utf-8")
        assert text.removeprefix("\ufeff").strip()
        assert not set(text) & {chr(code) for code in range(0x20) if chr(code) not in "\t\n\v\f\r"}


def test_a_header_that_is_whole_is_taken_in_any_order_and_without_ignored_columns() -> None:
    check_columns(NAMES, small(), "people.csv")
    check_columns(list(reversed(REQUIRED)), small(), "people.csv")


@given(st.sets(st.sampled_from(REQUIRED), min_size=1))
def test_every_column_that_is_missing_is_counted(gone: set[str]) -> None:
    refusal = header_refused([name for name in NAMES if name not in gone])
    noun = "column" if len(gone) == 1 else "columns"
    assert refusal.rule == "missing column"
    assert refusal.what.startswith(f"people.csv lacks {len(gone)} {noun}: ")
    assert refusal.fix == "Add the column, or export the table anew."
    assert refusal.what.endswith(f" and {len(gone) - 5} more") == (len(gone) > 5)


def test_a_column_that_is_nearly_named_is_asked_about() -> None:
    refusal = header_refused(["weight " if name == "Weight" else name for name in NAMES])
    assert refusal.what == "people.csv lacks 1 column: 'Weight' (and has 1 unknown: 'weight ')"
    assert refusal.fix == "'weight ' seems to be meant for 'Weight': write it so."


def test_an_unknown_column_and_the_index_of_pandas() -> None:
    shoe = header_refused([*NAMES, "Shoe size"])
    assert shoe.what == ("people.csv has 1 column that the contract does not know: 'Shoe size'")
    assert shoe.fix.startswith("Leave it out, or describe it in the contract")
    for index in ("", " ", "Unnamed: 0", "__index_level_0__"):
        refusal = header_refused([index, *NAMES])
        assert refusal.fix == ("This is the row index of pandas: write the file with index=False.")


def test_a_name_without_end_is_not_quoted_without_end() -> None:
    refusal = header_refused([*NAMES, *("x" * 10_000 + str(number) for number in range(9))])
    assert len(refusal.what) < 600
    assert refusal.what.endswith(" and 4 more")


@pytest.mark.parametrize(
    ("line", "rule", "sign"),
    [
        ("Age:Weight:Spend", "wrong delimiter", "is separated by colons"),
        ('{"age": 40}', "not a CSV", "looks like JSON"),
        ("[1, 2]", "not a CSV", "looks like JSON"),
        ("  <!doctype html>", "not a CSV", "looks like a web page or XML"),
        ("40,70,Jane Doe", "no header", "names none of the 11 columns of the contract"),
    ],
)
def test_a_first_line_that_is_no_header(line: str, rule: str, sign: str) -> None:
    refusal = no_header(line, small(), "people.csv")
    assert refusal.rule == rule
    assert sign in refusal.what
    assert refusal.fix
    assert "Jane" not in str(refusal)  # what stands there may be a person


def test_a_column_that_is_there_twice() -> None:
    refusal = duplicate_columns(["Age"], "people.csv")
    assert refusal.what == ("people.csv has more than one column named 'Age'; one is required")


@pytest.mark.parametrize(
    ("rows", "counted", "more"),
    [
        ([(7, 1)], "1 field in line 7", ""),
        ([(7, 3)], "3 fields in line 7", ""),
        ([(7, 3), (8, 12)], "3 fields in line 7", " (2 such lines)"),
    ],
)
def test_rows_of_another_length_than_the_header(
    rows: list[tuple[int, int]], counted: str, more: str
) -> None:
    refusal = ragged(rows, 4, "people.csv", ";")
    assert refusal.what == f"people.csv has {counted}; 4 are required by its header{more}"
    assert refusal.fix == 'Put a value with a semicolon in quotes: "like; this".'


def test_a_separator_at_the_end_of_each_line_is_one_too_many() -> None:
    refusal = ragged([(2, 5), (3, 5)], 4, "people.csv", ",")
    assert refusal.fix.startswith("Take a comma out at the end of each line, or name a column")
    mixed = ragged([(2, 5), (3, 6)], 4, "people.csv", ",")
    assert mixed.fix == 'Put a value with a comma in quotes: "like, this".'


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_line_of_a_quote_that_is_never_closed(end: bytes) -> None:
    refusal = open_quote(end.join([b"a,b", b'"1","2"', b'"3,4', b"5,6"]), "people.csv")
    assert refusal.what == (
        "people.csv has a quote in line 3 that is never closed; quotes in pairs are required"
    )


@given(st.text(max_size=30))
def test_a_near_form_is_its_own_near_form(text: str) -> None:
    assert near_form(near_form(text)) == near_form(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HIGH", "High"),
        (" high ", "High"),
        ("Hihg", ""),
        ("mid", "Mid"),
        ("Lowest", ""),
        ("Master\u2019s_degree", "Master's Degree"),
    ],
)
def test_a_value_that_was_perhaps_meant(written: str, meant: str) -> None:
    assert spelling(written, ("Low", "Mid", "High", "Master's Degree")) == meant


@given(st.lists(st.text("abcdefg", min_size=1, max_size=8), min_size=1, unique=True))
def test_an_allowed_value_is_meant_by_itself(allowed: list[str]) -> None:
    assert all(spelling(value, allowed) == value for value in allowed)


def test_a_sign_of_several_bytes_may_lie_where_a_large_file_is_cut_to_pieces() -> None:
    piece = 1 << 24
    check_bytes(b"a" * (piece - 1) + "é,\U0001f600\n".encode(), "people.csv")
    with pytest.raises(TableRefused, match=f"byte 0xe9 at offset {piece + 1}, line 2"):
        check_bytes(b"a" * piece + b"\n" + b"\xe9\n", "people.csv")
