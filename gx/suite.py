"""The suite that a contract stands for: every expectation follows from the contract, none is
written by hand.

The frame that it judges holds each column as the text that was written, under its published name,
and beside it

    number of <name>   the same as a number, for ranges
    rule <name>        for each rule of the contract: 1 it holds, 0 it does not, empty: unknown
    derived <name>     the same for each derived feature: whether it can be computed
"""

import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sluice.served.cells import NUMBER_PATTERNS
from sluice.served.contract import Column, Contract, Rule

if TYPE_CHECKING:
    import great_expectations as ge

IMPUTED = 0.05  # the share of a column that may be filled in before it is worth a warning


def number_of(name: str) -> str:
    """The name of the column of numbers beside a column of texts."""
    return f"number of {name}"


def judged(contract: Contract) -> list[str]:
    """The columns of the frame that the suite judges."""
    columns = [column for column in contract.columns if column.role != "ignored"]
    numbers = [number_of(column.name) for column in columns if column.numeric]
    rules = [f"rule {rule.name}" for rule in contract.rules]
    return [
        *(c.name for c in columns),
        *numbers,
        *rules,
        *(f"derived {d.name}" for d in contract.derived),
    ]


def build_suite(contract: Contract, minimum_rows: int, name: str) -> "ge.ExpectationSuite":
    """Every expectation that follows from the contract; `meta` names column and rule, `severity`
    says if it stops.
    """
    suite: ge.ExpectationSuite = engine().ExpectationSuite(name=name)
    suite.expectations = [*_table(contract, minimum_rows), *_columns(contract), *_rules(contract)]
    return suite


def engine() -> Any:
    """Great Expectations, imported with its telemetry off (it reads the variable while it is
    imported).
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as ge

    return ge


def _expect(kind: str, about: str, rule: str, severity: str = "critical", **arguments: Any) -> Any:
    expectation = getattr(engine().expectations, kind)
    return expectation(severity=severity, meta={"column": about, "rule": rule}, **arguments)


def _table(contract: Contract, minimum_rows: int) -> Iterator[Any]:
    yield _expect(
        "ExpectTableColumnsToMatchSet", "", "missing or unknown column", column_set=judged(contract)
    )
    yield _expect("ExpectTableRowCountToBeBetween", "", "too few rows", min_value=minimum_rows)


def _columns(contract: Contract) -> Iterator[Any]:
    for column in contract.columns:
        if column.role != "ignored":
            yield _missing(column)
            yield from _domain(column)
        if column.role == "feature":
            yield _expect(
                "ExpectColumnUniqueValueCountToBeBetween",
                column.name,
                "constant column",
                "warning",
                column=column.name,
                min_value=2,
            )
    target = contract.role("target")[0]
    yield _expect(
        "ExpectColumnDistinctValuesToContainSet",
        target.name,
        "one class",
        column=target.name,
        value_set=list(target.values),
    )


def _missing(column: Column) -> Any:
    kind = "ExpectColumnValuesToNotBeNull"
    if column.missing == "impute":
        return _expect(
            kind, column.name, "many imputed", "warning", column=column.name, mostly=1 - IMPUTED
        )
    return _expect(kind, column.name, "missing value", column=column.name)


def _domain(column: Column) -> Iterator[Any]:
    if column.numeric:
        number = number_of(column.name)
        yield _expect(
            "ExpectColumnValuesToMatchRegex",
            column.name,
            "wrong type",
            column=column.name,
            regex=NUMBER_PATTERNS[column.kind],
        )
        yield _expect(
            "ExpectColumnValuesToBeBetween",
            column.name,
            "out of range",
            column=number,
            min_value=column.minimum,
            max_value=column.maximum,
        )
    elif column.values:
        yield _expect(
            "ExpectColumnValuesToBeInSet",
            column.name,
            "unknown category",
            column=column.name,
            value_set=list(column.values),
        )
    if column.role == "id":
        view = number_of(column.name) if column.numeric else column.name
        yield _expect("ExpectColumnValuesToBeUnique", column.name, "duplicate id", column=view)


def _rules(contract: Contract) -> Iterator[Any]:
    computable = tuple(Rule(derived.name, derived.expression) for derived in contract.derived)
    for sort, rules in (("rule", contract.rules), ("derived", computable)):
        for rule in rules:
            view = f"{sort} {rule.name}"
            yield _expect(
                "ExpectColumnValuesToBeInSet", "", view, rule.severity, column=view, value_set=[1.0]
            )
