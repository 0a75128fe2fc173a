"""JSON lines for `sluice predict`: what is not plainly said is refused, with its line, its name and
what is allowed.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model_artifacts import MODEL

from flows.predict.json_lines import read_json_lines
from flows.predict.rows_file import read_rows
from sluice.errors import Refused
from sluice.served.contract import load_contract
from sluice.served.uploaded_table import Sheet

CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))
GOOD = {column.key: column.example for column in CONTRACT.features}
AGE = "a whole number from 18 to 65 years"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def read(folder: Path, *lines: str) -> Sheet:
    path = folder / "x.jsonl"
    path.write_text("\n".join((json.dumps(GOOD), *lines)), encoding="utf-8")
    return read_rows(path, CONTRACT)


def but(**changed: str) -> str:
    """A good line with these values as they are written here."""
    return (
        "{"
        + ", ".join(
            f'"{key}": {changed.get(key, json.dumps(value))}' for key, value in GOOD.items()
        )
        + "}"
    )


def told(sheet: Sheet) -> list[tuple[int, str, str, str]]:
    return [
        (problem.line, e.field, e.value, e.allowed)
        for problem in sheet.problems
        for e in problem.errors
    ]


def test_a_name_that_stands_twice_is_refused_not_chosen_from(tmp_path: Path) -> None:
    twice = but()[:-1] + ', "age": 60}'
    sheet = read(
        tmp_path, twice, but(age='{"a": 1, "a": 2}'), but()[:-1] + ', "gender": "x", "gender": "y"}'
    )
    assert told(sheet) == [
        (2, "age", f"{GOOD['age']} and 60", "each name once"),
        (3, "a", "1 and 2", "each name once"),
        (4, "gender", "'x' and 'y'", "each name once"),
    ]
    assert [row.line for row in sheet.rows] == [1]


def test_a_column_by_both_its_names_is_refused(tmp_path: Path) -> None:
    sheet = read(
        tmp_path, but()[:-1] + ', "Age": 60}', but()[:-1] + ', "employee_id": 1, "Employee ID": 2}'
    )
    assert [(line, field, allowed) for line, field, _, allowed in told(sheet)] == [
        (2, "Age", "each field once"),
        (3, "Employee ID", "each field once"),
    ]


@pytest.mark.parametrize(
    "written", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 5000, "1" * 400]
)
def test_what_is_no_number_is_shown_as_it_is_written(written: str, tmp_path: Path) -> None:
    assert told(read(tmp_path, but(age=written))) == [(2, "Age", written[:80], AGE)]
    [(line, field, value, allowed)] = told(read(tmp_path, but(distance_from_home=written)))
    assert (line, field, value) == (2, "Distance from Home", written[:80])
    assert allowed.startswith("a whole number from 0 to 200")
    assert told(read(tmp_path, but(overtime=written))) == [
        (2, "Overtime", written[:80], "one of No, Yes")
    ]


@pytest.mark.parametrize("depth", [1, 100, *range(900, 1010, 10), 5000])
def test_a_value_nested_however_deeply_is_a_wrong_one(depth: int, tmp_path: Path) -> None:
    for bracket in ("[]", '{"a":}'):
        written = bracket[:-1] * depth + "1" + bracket[-1] * depth
        [(line, field, _, _)] = told(read(tmp_path, but(age=written)))
        assert (line, field) in ((2, "Age"), (2, "the line"))


@pytest.mark.parametrize("written", ["NaN", "true", "[7]", '{"id": 7}'])
def test_an_id_is_a_number_or_a_text(written: str, tmp_path: Path) -> None:
    [(line, field, _, _)] = told(read(tmp_path, f'{but()[:-1]}, "employee_id": {written}}}'))
    assert (line, field) == (2, "Employee ID")


def test_an_id_may_be_left_out_or_written_either_way(tmp_path: Path) -> None:
    given = [f'{but()[:-1]}, "employee_id": {written}}}' for written in ("null", "7", '"E-7"')]
    sheet = read(tmp_path, *given)
    assert [row.id for row in sheet.rows] == ["", "", "7", "E-7"]
    assert all(set(row.record) == set(GOOD) for row in sheet.rows)


LINES = st.lists(
    st.sampled_from([json.dumps(GOOD), "", "  ", "{", "[]", "1", '{"age": 3}', "\r"])
    | st.text(alphabet=st.characters(exclude_characters="\n", codec="utf-8"), max_size=20),
    max_size=8,
)


@given(LINES)
@settings(deadline=None)
def test_every_line_that_is_not_empty_is_a_row_or_a_problem(lines: list[str]) -> None:
    sheet = read_json_lines("\n".join(lines).encode(), CONTRACT, "x.jsonl")
    numbers = [one.line for one in (*sheet.rows, *sheet.problems)]
    # a mark of the byte order at the very beginning is no part of the first line
    texts = "\n".join(lines).removeprefix("\ufeff").split("\n")
    assert sorted(numbers) == [number for number, line in enumerate(texts, 1) if line.strip()]
    assert [problem.line for problem in sheet.problems] == sorted(
        problem.line for problem in sheet.problems
    )


@given(st.integers(0, 200))
@settings(deadline=None)
def test_bytes_that_are_no_utf_8_are_refused_with_their_place(place: int) -> None:
    with pytest.raises(Refused) as raised:
        read_json_lines(b" " * place + b"\xff", CONTRACT, "x.jsonl")
    assert raised.value.what == f"x.jsonl is not UTF-8 at byte {place}"
    assert raised.value.fix == "Save it as UTF-8."


@given(JSON)
@settings(deadline=None)
def test_any_value_in_a_field_is_read_or_named_with_its_field(value: object) -> None:
    line = json.dumps({**GOOD, "age": value})
    sheet = read_json_lines(line.encode(), CONTRACT, "x.jsonl")
    if sheet.rows:
        assert sheet.rows[0].record["age"] == value
        assert not sheet.problems
    else:
        [problem] = sheet.problems
        assert [error.field for error in problem.errors] == ["Age"]


def test_no_row_at_all_is_an_empty_sheet() -> None:
    assert read_json_lines(b"\n\n", CONTRACT, "x.jsonl") == Sheet((), (), ())


def test_names_that_the_model_is_not_fed_are_listed_once_in_their_order(tmp_path: Path) -> None:
    more = '"gender": "Male", "attrition": "Left", "employee_id": 7}'
    sheet = read(tmp_path, f"{but()[:-1]}, {more}", f"{but()[:-1]}, {more}")
    assert sheet.unused == ("gender", "attrition")
    assert all(set(row.record) == set(GOOD) for row in sheet.rows)


def test_ten_thousand_people_keep_their_lines() -> None:
    line = json.dumps(GOOD)
    sheet = read_json_lines("\n".join([line] * 10_000).encode(), CONTRACT, "x.jsonl")
    assert [row.line for row in sheet.rows] == list(range(1, 10_001))
