"""What validation found, on the terminal: what is wrong, where, and what to do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.terminal import shown

from flows.views import findings
from gx.report import Check, Example, Finding, Report

FINDING = Finding(
    "Age", "out of range", "critical", 1200, (Example("17", "130"),), "Correct the ages."
)
WARNING = Finding("", "few rows", "warning", 1, (), "Bring more.")


def report(*found: Finding, rows: int = 2400, checks: int = 2) -> Report:
    check = Check("Age", "out of range", "critical", "expect_it", 0, passed=True)
    return Report(rows, (check,) * checks, found)


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (report(), "Valid: 2,400 rows, 2 checks, nothing found."),
        (report(rows=1, checks=1), "Valid: 1 row, 1 check, nothing found."),
        (report(rows=0, checks=0), "Valid: 0 rows, 0 checks, nothing found."),
        (report(WARNING), "Valid: 2,400 rows, 2 checks, 1 warning."),
        (report(WARNING, WARNING), "Valid: 2,400 rows, 2 checks, 2 warnings."),
        (report(FINDING), "Refused: 2,400 rows, 2 checks, 1 failed."),
        (report(FINDING, FINDING, WARNING), "Refused: 2,400 rows, 2 checks, 2 failed, 1 warning."),
    ],
)
def test_the_outcome_is_one_line(seen: Report, sentence: str) -> None:
    assert findings.summary(seen) == sentence


@given(st.text(min_size=6, alphabet="XYZ"), st.text(min_size=6, alphabet="XYZ"))
@settings(deadline=None)
def test_the_one_line_has_no_value_and_no_id_of_a_row(person: str, value: str) -> None:
    finding = Finding("Age", "out of range", "critical", 1, (Example(person, value),), value)
    sentence = findings.summary(report(finding))
    assert person not in sentence
    assert value not in sentence


def test_a_finding_has_its_column_rows_examples_and_advice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    findings.show(report(FINDING, WARNING))
    lines = shown(capsys)
    assert "Age out of range 1,200 17: 130 Correct the ages." in lines
    assert "(table) few rows 1 Bring more." in lines
    assert "warning" in lines
    assert lines[-1] == "Refused: 2,400 rows, 2 checks, 1 failed, 1 warning."


def test_without_a_finding_there_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    findings.show(report())
    assert shown(capsys) == ["Valid: 2,400 rows, 2 checks, nothing found."]


def test_a_value_of_a_row_is_text_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    odd = Finding("[b]", "rule", "critical", 1, (Example("[/]", "[red]"),), "[link=x]")
    findings.show(report(odd))
    assert "[b] rule 1 [/]: [red] [link=x]" in shown(capsys)
