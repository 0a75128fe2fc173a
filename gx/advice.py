"""What to do about a finding, and how the values that caused it are shown."""

from typing import Any

import numpy as np
import pandas as pd

from gx.report import Check
from gx.suite import number_of
from sluice.served.contract import Column, Contract
from sluice.served.expressions import Expression
from sluice.served.table_refusals import spelling

_LONGEST = 60  # characters of a value that are shown
_SPELLINGS = 3
_VALUES = 12


def written(
    contract: Contract, check: Check, view: pd.DataFrame, rows: np.ndarray
) -> "pd.Series[str]":
    """The values that broke a rule, as they are shown, by row: of the first thousand such rows."""
    if check.rule == "duplicate id":
        return _other_rows(contract, view, rows)
    rows = rows[:1000]
    column = contract.find(check.column)
    if column is not None:
        return _shown(view[column.name].iloc[rows])
    keys = expression_of(contract, check.rule).keys
    columns = [column for column in contract.features if column.key in keys]
    shown = pd.DataFrame(
        {
            column.name: column.name + " " + _shown(view[column.name].iloc[rows])
            for column in columns
        }
    )
    return shown.agg(", ".join, axis="columns").astype("str")


def _shown(texts: "pd.Series[Any]") -> "pd.Series[str]":
    return texts.astype(object).fillna("(empty)").astype("str").str.slice(0, _LONGEST)


def _other_rows(contract: Contract, view: pd.DataFrame, rows: np.ndarray) -> "pd.Series[str]":
    """For the first row of three ids that stand twice, in which rows they stand."""
    name = number_of(contract.id.name) if contract.id.numeric else contract.id.name
    ids = view[name].iloc[rows].astype(object)
    first = ids.drop_duplicates().head(_SPELLINGS)
    same = {row: ids.index[ids == identity][:_SPELLINGS] for row, identity in first.items()}
    return pd.Series(
        {
            row: "rows " + ", ".join(str(place + 1) for place in places)
            for row, places in same.items()
        }
    )


def expression_of(contract: Contract, rule: str) -> Expression:
    """The expression behind the view `rule <name>` or `derived <name>`."""
    sort, _, name = rule.partition(" ")
    items = contract.rules if sort == "rule" else contract.derived
    return next(item.expression for item in items if item.name == name)


def fix(contract: Contract, check: Check, view: pd.DataFrame, rows: np.ndarray) -> str:
    """What to do next, in one or two sentences. It may quote values of the file."""
    column = contract.find(check.column)
    if column is None:
        return _fix_table(contract, check, len(view))
    match check.rule:
        case "unknown category":
            return _fix_category(column, view[column.name].iloc[rows])
        case "out of range":
            return _fix_range(column, view[number_of(column.name)].iloc[rows])
        case "wrong type":
            empty = (
                " Leave the cell empty where it is missing." if column.missing == "impute" else ""
            )
            return f"Write {column.allowed}, in digits only.{empty}"
        case "missing value":
            return "Fill these cells or leave the rows out."
        case "many imputed":
            return (
                f"{check.count / len(view):.0%} are empty and count as {column.fill}. Is the export"
                " complete?"
            )
        case "duplicate id":
            return "Keep one row for each id. Were two exports joined?"
        case "one class":
            return f"Rows of both are needed: {' and '.join(column.values)}."
        case _:
            return (
                "All values are the same; a model learns nothing from it. Is the export complete?"
            )


def _fix_table(contract: Contract, check: Check, rows: int) -> str:
    if check.rule == "too few rows":
        return f"There are {rows}, at least {check.limit:.0f} are needed."
    sort, _, name = check.rule.partition(" ")
    text = (
        next((rule.text for rule in contract.rules if rule.name == name), "")
        if sort == "rule"
        else ""
    )
    return f"{text} Expected: {expression_of(contract, check.rule).source}.".strip()


def _fix_category(column: Column, texts: "pd.Series[Any]") -> str:
    found = texts.astype(object).drop_duplicates().head(100)
    meant = [(value, spelling(value, column.values)) for value in found]
    hints = [f'Write "{near}" for "{value[:_LONGEST]}".' for value, near in meant if near][
        :_SPELLINGS
    ]
    if len(hints) < len(meant):
        more = f" and {len(column.values) - _VALUES} more" if len(column.values) > _VALUES else ""
        hints.append(
            f"Allowed: {', '.join(column.values[:_VALUES])}{more}. A new one goes into the contract"
            " first."
        )
    return " ".join(hints)


def _fix_range(column: Column, values: "pd.Series[float]") -> str:
    allowed = f"Allowed is {column.allowed}."
    low, high = column.minimum, column.maximum
    if column.unit != "years" or low is None or high is None:
        return allowed
    if (values / 12).between(low, high).all():
        return f"{allowed} These look like months: divide by 12."
    return allowed
