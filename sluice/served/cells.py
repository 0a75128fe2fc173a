"""What the text of a cell stands for: the one place that says what a number is.

Training reads whole columns by these patterns, the data checks look for cells that break them, and
the service, the page and `sluice predict` read single cells by them.
"""

import re

from sluice.served.contract import Column
from sluice.served.days import ISO, day_of, written

# Of each numeric kind, the texts that are such a number: digits and one point, without marks
# between thousands, without spaces. A whole number may be written `12.0`, as spreadsheets do.
# Patterns and not compiled ones: pandas and Great Expectations search with engines of their own.
NUMBER_PATTERNS = {
    "integer": r"^[+-]?[0-9]+(?:\.0*)?$",
    "number": r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$",
}
_OF_KIND = {kind: re.compile(pattern) for kind, pattern in NUMBER_PATTERNS.items()}
_NUMBER = _OF_KIND["number"]
# Longer ones are read as floats, beyond every range: Python refuses to parse digits without end.
_DIGITS = re.compile(r"[+-]?[0-9]{1,300}")


def read_table_cell(column: Column, text: str) -> int | float | str | None:
    """The value of a cell of a table, as `read_records` takes it.

    It is written as `[reading]` of the contract says. None is an empty cell. In a numeric column a
    text that is no number of its kind stays a text, so that the check of the record names it as it
    was written: a spreadsheet that writes a whole number as `7.3e3` has dropped digits.
    """
    text = column.reading.plain(text, numeric=column.numeric and column.kind != "date")
    if not text:
        return None
    if column.kind == "date":
        day = day_in_table(column, text)
        return text if day is None else written(day)
    if not column.numeric or not _OF_KIND[column.kind].fullmatch(text):
        return text
    return _number(text)


def read_cell(column: Column, text: str) -> int | float | str | None:
    """The same of what a person types, who may write a whole number as `7.3e3`, and a point where
    the table has a comma: whether it is whole is for the check of the record. A date may be written
    as the table has it, or as 2026-11-20.
    """
    text = text.strip()
    if column.kind == "date":
        return read_table_cell(column, text)
    if "." not in text:
        text = column.reading.plain(text, numeric=column.numeric)
    if column.numeric and _NUMBER.fullmatch(text):
        return _number(text)
    return text or None


def day_in_table(column: Column, text: str) -> int | None:
    """The number of a day that is written as `[reading]` says, or as 2026-11-20, which Parquet
    files have; None for what is no day.
    """
    days = (day_of(text, form) for form in (column.reading.date, ISO))
    return next((day for day in days if day is not None), None)


def _number(text: str) -> int | float:
    return int(text) if _DIGITS.fullmatch(text) else float(text)
