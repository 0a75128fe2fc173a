"""What to do about a finding, and how the values that caused it are shown."""

from typing import Any

import numpy as np
import pandas as pd

from gx.report import Check
from gx.suite import number_of
from sluice.percent import percent
from sluice.served.contract import Column, Contract
from sluice.served.expressions import Expression
from sluice.served.table_refusals import spelling

_LONGEST = 60  # characters of a value that are shown
_SPELLINGS = 3
_VALUES = 12
_ONE_CLASS = "A target has two values: write one class against the rest, or leave these rows out."


def written(
    contract: Contract, check: Check, view: pd.DataFrame, rows: np.ndarray
) -> "pd.Series[str]":
    """The values that broke a rule, as they are shown, by row; of the first thousand of `rows`.

    `view` holds the columns under their published names, `rows` are row numbers from 0.
    """
    if check.rule == "duplicate id":
        return _other_rows(contract, view, rows)
    rows = rows[:1000]
    column = contract.find(check.column)
    if column is not None:
        return _shown(view[column.name].iloc[rows])
    keys = expression_of(contract, check.rule).keys
    columns = [column for column in contract.features if column.key in keys]
    values = {c.name: c.name + " " + _shown(view[c.name].iloc[rows]) for c in columns}
    shown = pd.DataFrame(values)
    return shown.agg(", ".join, axis="columns").astype("str")


def _shown(texts: "pd.Series[Any]") -> "pd.Series[str]":
    return texts.astype(object).fillna("(empty)").astype("str").str.slice(0, _LONGEST)


def _other_rows(contract: Contract, view: pd.DataFrame, rows: np.ndarray) -> "pd.Series[str]":
    """For the first row of three ids that occur twice, the numbers, from 1, of their rows."""
    name = number_of(contract.id.name) if contract.id.numeric else contract.id.name
    ids = view[name].iloc[rows].astype(object)
    first = ids.drop_duplicates().head(_SPELLINGS)
    same = {row: ids.index[ids == identity][:_SPELLINGS] for row, identity in first.items()}
    texts = {row: ", ".join(str(other + 1) for other in others) for row, others in same.items()}
    return pd.Series({row: f"rows {text}" for row, text in texts.items()})


def expression_of(contract: Contract, rule: str) -> Expression:
    """The expression behind the view `rule <name>` or `derived <name>`."""
    sort, _, name = rule.partition(" ")
    items = contract.rules if sort == "rule" else contract.derived
    return next(item.expression for item in items if item.name == name)


def fix(contract: Contract, check: Check, view: pd.DataFrame, rows: np.ndarray) -> str:
    """The next step for a finding, in one or two sentences. It may quote values of the file."""
    column = contract.find(check.column)
    if column is None:
        return _fix_table(contract, check, len(view))
    match check.rule:
        case "unknown category":
            return _fix_category(column, view[column.name].iloc[rows])
        case "out of range":
            return _fix_range(column, view[number_of(column.name)].iloc[rows])
        case "wrong type":
            return _fix_type(column)
        case "text too long":
            return f"Allowed is {column.allowed}. Is it free text? Then it takes another role."
        case "many others":
            share = check.count / len(view)
            return (
                f"{percent(share)} count as {column.other}. List the frequent ones in the contract."
            )
        case "missing value":
            return "Fill these cells or leave the rows out."
        case "many imputed":
            share = check.count / len(view)
            return f"{percent(share)} are empty and count as {column.fill}. Is the export complete?"
        case "duplicate id":
            return "Keep one row for each id. Were two exports joined?"
        case "one class":
            if len(column.values) > 2:
                return f"Rows of each are required: {', '.join(column.values)}."
            return f"Rows of both are required: {' and '.join(column.values)}."
        case _:
            return "All values are equal; a model learns nothing from them. Is the export complete?"


def _fix_type(column: Column) -> str:
    text = f"Write {column.allowed}, in digits only."
    if column.kind == "date":
        text = f"Write {column.allowed}, as {column.reading.date}."
    if column.missing == "impute" or column.kept:
        text += " Leave the cell empty where it is missing."
    return text


def _fix_table(contract: Contract, check: Check, rows: int) -> str:
    if check.rule == "too few rows":
        return f"The table has {rows:,} rows; at least {check.limit:,.0f} are required."
    expected = f"Expected: {expression_of(contract, check.rule).source}."
    for rule in contract.rules:
        if check.rule == f"rule {rule.name}" and rule.text:
            return f"{rule.text} {expected}"
    return expected


def _fix_category(column: Column, texts: "pd.Series[Any]") -> str:
    """The allowed spellings of up to three values, and the list of all where that is not enough."""
    unknown = texts.astype(object).drop_duplicates().head(100)
    meant = [(value, spelling(value, column.values)) for value in unknown]
    hints = [f'Write "{near}" for "{value[:_LONGEST]}".' for value, near in meant if near]
    del hints[_SPELLINGS:]
    if len(hints) < len(meant):
        allowed = ", ".join(column.values[:_VALUES])
        if len(column.values) > _VALUES:
            allowed += f" and {len(column.values) - _VALUES} more"
        two = column.role == "target" and len(column.values) == 2
        more = _ONE_CLASS if two else "A new one goes into the contract first."
        hints.append(f"Allowed: {allowed}. {more}")
    return " ".join(hints)


def _fix_range(column: Column, values: "pd.Series[float]") -> str:
    allowed = f"Allowed is {column.allowed}."
    low, high = column.minimum, column.maximum
    if column.unit != "years" or low is None or high is None:
        return allowed
    if (values / 12).between(low, high).all():
        return f"{allowed} These look like months: divide by 12."
    return allowed
