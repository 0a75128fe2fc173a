"""Predictions and wrong rows: as a line, as CSV and as JSON."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model_artifacts import MODEL
from support.terminal import shown

from flows.views.serving import predictions
from flows.views.serving.predictions import Json
from sluice.served.contract import load_contract
from sluice.served.encoding import FieldError
from sluice.served.uploaded_table import Problem, Row, Sheet

CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))
ANSWER: Json = {
    "prediction": 1,
    "label": "Leave",
    "probability": 0.71249,
    "tier": "very high",
    "reasons": [{"text": "Job Level is [red]Entry[/]"}],
}
WRONG = FieldError(0, "Age", "130", "a whole number from 18 to 65 years")


def sheet(ids: list[str], problems: int = 0, errors: int = 1) -> Sheet:
    rows = tuple(Row(line, person, {}) for line, person in enumerate(ids, 2))
    wrong = tuple(Problem(line, "", (WRONG,) * errors) for line in range(problems))
    return Sheet(rows, wrong, ())


def test_an_answer_is_one_line() -> None:
    assert predictions.line(ANSWER) == "prediction 1, Leave, Risk: Very High (0.7125)"


def test_an_answer_is_shown_with_its_reasons_and_who_decides(
    capsys: pytest.CaptureFixture[str],
) -> None:
    predictions.show(ANSWER)
    assert shown(capsys) == [
        "Job Level is [red]Entry[/]",
        "Advice: a person decides.",
        "prediction 1, Leave, Risk: Very High (0.7125)",
    ]


@pytest.mark.parametrize("reasons", [None, []])
def test_an_answer_without_reasons_is_shown_too(
    reasons: object, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions.show({**ANSWER, "reasons": reasons})
    assert shown(capsys)[0] == "Advice: a person decides."


# A line end at the beginning of a cell would begin a formula; that is another test.
IDS = st.from_regex(r'[ab,";é][ab,"\n;é]{0,5}', fullmatch=True)


@given(st.lists(IDS, min_size=1, max_size=5))
@settings(deadline=None)
def test_the_csv_has_a_row_for_each_answer_in_the_order_of_the_file(ids: list[str]) -> None:
    text = predictions.as_csv(CONTRACT, sheet(ids), [ANSWER] * len(ids))
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head == ["Employee ID", "line", "prediction", "label", "probability", "tier"]
    assert [row[0] for row in rows] == ids
    assert [row[1] for row in rows] == [str(line) for line in range(2, len(ids) + 2)]
    assert {tuple(row[2:]) for row in rows} == {("1", "Leave", "0.71249000", "very high")}


@pytest.mark.parametrize("person", ["=1+1", "@SUM(A1)", "-2", "+3", "\tx"])
def test_an_id_is_no_formula_in_a_spreadsheet(person: str) -> None:
    text = predictions.as_csv(CONTRACT, sheet([person]), [ANSWER])
    assert next(csv.reader(io.StringIO(text.splitlines()[1])))[0] == f"'{person}"


def test_the_csv_of_no_row_is_its_header() -> None:
    text = predictions.as_csv(CONTRACT, sheet([]), [])
    assert text == "Employee ID,line,prediction,label,probability,tier\n"


@pytest.mark.parametrize("answers", [0, 1, 3])
def test_answers_that_are_not_as_many_as_the_rows_are_a_fault(answers: int) -> None:
    with pytest.raises(ValueError, match="zip"):
        predictions.as_csv(CONTRACT, sheet(["1", "2"]), [ANSWER] * answers)
    with pytest.raises(ValueError, match="zip"):
        predictions.as_json(sheet(["1", "2"]), [ANSWER] * answers)


def test_the_json_has_the_answers_and_the_wrong_rows_by_field() -> None:
    document = json.loads(predictions.as_json(sheet(["ä-1"], problems=1, errors=2), [ANSWER]))
    assert document["answers"] == [{**ANSWER, "line": 2, "row": "ä-1"}]
    [wrong] = document["wrong"]
    assert (wrong["line"], wrong["row"]) == (0, "")
    assert [field["value"] for field in wrong["fields"]] == ["130", "130"]


def told(seen: Sheet, capsys: pytest.CaptureFixture[str]) -> list[str]:
    predictions.problems(seen)
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_a_wrong_row_says_line_field_value_and_what_is_allowed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = told(sheet([], problems=1), capsys)
    assert lines == ["line 0: Age is 130; allowed: a whole number from 18 to 65 years"]


@pytest.mark.parametrize(
    ("problems", "last"),
    [
        (20, "line 19: Age is 130; allowed: a whole number from 18 to 65 years"),
        (21, "and 1 more row"),
        (22, "and 2 more rows"),
        (5020, "and 5,000 more rows"),
    ],
)
def test_of_many_wrong_rows_twenty_are_named_and_the_rest_counted(
    problems: int, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = told(sheet([], problems=problems), capsys)
    assert lines[-1] == last
    assert sum(line.startswith("line ") for line in lines) == 20


def test_of_one_row_five_errors_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(told(sheet([], problems=1, errors=9), capsys)) == 5


def test_columns_that_are_not_used_are_named_first(capsys: pytest.CaptureFixture[str]) -> None:
    seen = Sheet((), (Problem(3, "", (WRONG,)),), ("Gender", "Attrition"))
    assert told(seen, capsys)[0] == "Not used: Gender, Attrition"
