"""What is said of refused data: the rules on the terminal, and no value where others read."""

import pytest

from flows.steps.validate import DataRefused, public
from gx.report import Example, Finding, Report
from sluice.errors import Refused
from sluice.served.table_refusals import TableRefused


def finding(column: str, rule: str, severity: str = "critical") -> Finding:
    return Finding(column, rule, severity, 3, (Example("4711", "secret"),), "Write secret anew.")


def refusal(*findings: Finding) -> DataRefused:
    return DataRefused(Report(100, (), findings))


def test_every_broken_rule_is_named_once_with_its_column() -> None:
    refused = refusal(
        finding("Age", "out of range"),
        finding("", "too few rows"),
        finding("Age", "out of range"),
        finding("Age", "wrong type"),
    )
    assert refused.what == (
        "the data is refused: Age: out of range, (table): too few rows, Age: wrong type"
    )
    assert refused.fix == "Mend the file, or change the contract if the data is right."
    assert refused.exit_code == 3


def test_a_warning_is_no_reason() -> None:
    refused = refusal(finding("Age", "constant column", "warning"), finding("Sex", "one class"))
    assert refused.what == "the data is refused: Sex: one class"
    assert len(refused.report.findings) == 2


def test_values_and_ids_stay_in_the_report() -> None:
    refused = refusal(finding("Age", "out of range"))
    for text in (str(refused), public(refused)):
        assert "secret" not in text
        assert "4711" not in text


@pytest.mark.parametrize("rule", ["no header", "not a CSV"])
def test_of_a_table_that_is_none_only_the_rule_is_stored(rule: str) -> None:
    """A file without a header can have a person in its first line."""
    refused = TableRefused(rule, "people.csv begins with Jane Doe", "Export it.")
    assert public(refused) == f"the data is refused: {rule}"


def test_any_other_refusal_is_stored_as_it_is() -> None:
    assert public(Refused("Recall is 0.7; 0.72 is required", "x")) == (
        "Recall is 0.7; 0.72 is required"
    )
