"""The suite follows from the contract alone: every column has its expectations, in its order."""

from dataclasses import replace
from typing import Any

from support.gate_cases import small

from gx.suite import build_suite, judged, number_of
from sluice.served.contract import Contract


def expectations(contract: Contract, minimum_rows: int = 100) -> list[Any]:
    return list(build_suite(contract, minimum_rows, "suite").expectations)


def rules(contract: Contract, column: str) -> list[tuple[str, str]]:
    """Rule and severity of what is expected of a column, in order."""
    metas = [(each.meta, each.severity) for each in expectations(contract)]
    return [(meta["rule"], severity.value) for meta, severity in metas if meta["column"] == column]


def test_each_kind_of_column_has_its_expectations() -> None:
    constant = ("constant column", "warning")
    assert rules(small(), "Age") == [
        ("missing value", "critical"),
        ("wrong type", "critical"),
        ("out of range", "critical"),
        constant,
    ]
    assert rules(small(), "Region") == [
        ("many imputed", "warning"),
        ("unknown category", "critical"),
        constant,
    ]
    assert rules(small(), "Sex") == [
        ("missing value", "critical"),
        ("unknown category", "critical"),
    ]
    assert rules(small(), "Customer ID") == [
        ("missing value", "critical"),
        ("duplicate id", "critical"),
    ]
    assert rules(small(), "Churn") == [
        ("missing value", "critical"),
        ("unknown category", "critical"),
        ("one class", "critical"),
    ]


def test_nothing_is_expected_of_an_ignored_column() -> None:
    assert rules(small(), "Note") == []
    assert "Note" not in judged(small())


def test_rules_of_the_contract_keep_their_severity_and_derived_features_stop() -> None:
    assert rules(small(), "")[2:] == [
        ("rule plausible", "warning"),
        ("derived density", "critical"),
        ("derived risky", "critical"),
    ]


def test_a_rule_of_the_contract_becomes_an_expectation_and_its_column() -> None:
    without = replace(small(), rules=())
    assert len(expectations(small())) == len(expectations(without)) + 1
    assert set(judged(small())) - set(judged(without)) == {"rule plausible"}


def test_every_expectation_is_about_a_column_of_the_frame() -> None:
    of_columns = [each for each in expectations(small()) if hasattr(each, "column")]
    assert {each.column for each in of_columns} <= set(judged(small()))
    [table] = [each for each in expectations(small()) if hasattr(each, "column_set")]
    assert set(table.column_set) == set(judged(small()))


def test_limits_are_those_of_contract_and_policy() -> None:
    found = {(each.meta["column"], each.meta["rule"]): each for each in expectations(small(), 77)}
    age = found["Age", "out of range"]
    assert (age.column, age.min_value, age.max_value) == (number_of("Age"), -5, 90)
    assert found["", "too few rows"].min_value == 77
    assert found["Region", "unknown category"].value_set == ["N", "Süd"]
