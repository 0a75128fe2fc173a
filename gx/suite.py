"""The suite of a contract: every expectation follows from it, none is written by hand.

The frame that it judges holds each column as the text that was written, under its published name,
and beside it

    number of <name>   the same as a number, for ranges
    rule <name>        for each rule of the contract: 1 it holds, 0 it does not, empty: unknown
    derived <name>     the same for each derived feature: whether it can be computed
    day of <name>      of a date: 1 it is a day, 0 it is none, empty: missing
"""

import os
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from sluice.served.cells import NUMBER_PATTERNS
from sluice.served.contract import LONGEST, Column, Contract, Rule

if TYPE_CHECKING:
    import great_expectations as ge
    from great_expectations.expectations.expectation import Expectation

OTHERS = 0.25  # the share of a column that may count as other before it is worth a warning
IMPUTED = 0.05  # the share of a column that may be filled in before it is worth a warning


def number_of(name: str) -> str:
    """The name of the column of numbers beside a column of texts."""
    return f"number of {name}"


def day_of(name: str) -> str:
    """The name of the column that says whether the texts beside it are days."""
    return f"day of {name}"


def judged(contract: Contract) -> list[str]:
    """The columns of the frame that the suite judges, in its order."""
    columns = [column for column in contract.columns if column.role != "ignored"]
    texts = [column.name for column in columns]
    numbers = [number_of(column.name) for column in columns if column.numeric]
    numbers += [day_of(column.name) for column in columns if column.kind == "date"]
    rules = [f"rule {rule.name}" for rule in contract.rules]
    derived = [f"derived {feature.name}" for feature in contract.derived]
    return [*texts, *numbers, *rules, *derived]


def build_suite(contract: Contract, minimum_rows: int, name: str) -> "ge.ExpectationSuite":
    """Every expectation that follows from the contract.

    `meta` of each names its column, empty for the table, and its rule; `severity` says whether it
    stops. `minimum_rows` is what the policy asks for.
    """
    suite: ge.ExpectationSuite = engine().ExpectationSuite(name=name)
    suite.expectations = [*_table(contract, minimum_rows), *_columns(contract), *_rules(contract)]
    return suite


def engine() -> ModuleType:
    """Great Expectations, imported with its telemetry off.

    It reads the variable while it is imported, so nothing imports it in another way.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as ge

    return ge


def _expect(
    kind: str, about: str, rule: str, severity: str = "critical", **arguments: object
) -> "Expectation":
    """The expectation of this kind about a column, or about the table where `about` is empty."""
    make = getattr(engine().expectations, kind)
    expectation: Expectation = make(
        severity=severity, meta={"column": about, "rule": rule}, **arguments
    )
    return expectation


def _table(contract: Contract, minimum_rows: int) -> Iterator["Expectation"]:
    """What is expected of the table as a whole."""
    yield _expect(
        "ExpectTableColumnsToMatchSet", "", "missing or unknown column", column_set=judged(contract)
    )
    yield _expect("ExpectTableRowCountToBeBetween", "", "too few rows", min_value=minimum_rows)


def _columns(contract: Contract) -> Iterator["Expectation"]:
    """What is expected of each column, in published order, and of the target."""
    for column in contract.columns:
        if column.role != "ignored":
            if column.missing != "keep":
                yield _missing(column)
            if column.other:
                yield from _any_text(column)
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
    if target.numeric:
        yield _expect(
            "ExpectColumnUniqueValueCountToBeBetween",
            target.name,
            "constant column",
            column=target.name,
            min_value=2,
        )
        return
    yield _expect(
        "ExpectColumnDistinctValuesToContainSet",
        target.name,
        "one class",
        column=target.name,
        value_set=list(target.values),
    )


def _missing(column: Column) -> "Expectation":
    """Whether cells may be empty: none, or a few where they are filled in."""
    kind = "ExpectColumnValuesToNotBeNull"
    if column.missing == "impute":
        return _expect(
            kind, column.name, "many imputed", "warning", column=column.name, mostly=1 - IMPUTED
        )
    return _expect(kind, column.name, "missing value", column=column.name)


def _any_text(column: Column) -> Iterator["Expectation"]:
    """What is expected of a category that takes any text: no endless one, and few that it does not
    list.
    """
    yield _expect(
        "ExpectColumnValueLengthsToBeBetween",
        column.name,
        "text too long",
        column=column.name,
        max_value=LONGEST,
    )
    yield _expect(
        "ExpectColumnValuesToBeInSet",
        column.name,
        "many others",
        "warning",
        column=column.name,
        value_set=list(column.values),
        mostly=1 - OTHERS,
    )


def _domain(column: Column) -> Iterator["Expectation"]:
    """What is expected of the cells of a column that are not empty."""
    if column.numeric:
        number = number_of(column.name)
        if column.kind == "date":
            yield _expect(
                "ExpectColumnValuesToBeInSet",
                column.name,
                "wrong type",
                column=day_of(column.name),
                value_set=[1.0],
            )
        else:
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
    elif column.values and not column.other:
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


def _rules(contract: Contract) -> Iterator["Expectation"]:
    """That the rules of the contract hold, and that its derived features can be computed."""
    computable = tuple(Rule(derived.name, derived.expression) for derived in contract.derived)
    for sort, rules in (("rule", contract.rules), ("derived", computable)):
        for rule in rules:
            view = f"{sort} {rule.name}"
            yield _expect(
                "ExpectColumnValuesToBeInSet", "", view, rule.severity, column=view, value_set=[1.0]
            )
