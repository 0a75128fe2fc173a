"""What the text of a cell stands for: the one place that says what a number is.

Training reads whole columns by these patterns, the data checks look for cells that break them, and
the service, the page and `sluice predict` read single cells by them.
"""

import re

from sluice.served.contract import Column

# Of each numeric kind, the texts that are such a number: digits and one point, without marks
# between thousands, without spaces. A whole number may be written `12.0`, as spreadsheets do.
# Patterns and not compiled ones: pandas and Great Expectations search with engines of their own.
NUMBER_PATTERNS = {
    "integer": r"^[+-]?[0-9]+(?:\.0*)?$",
    "number": r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$",
}
_NUMBER = re.compile(NUMBER_PATTERNS["number"])
# Longer ones are read as floats, beyond every range: Python refuses to parse digits without end.
_DIGITS = re.compile(r"[+-]?[0-9]{1,300}")


def read_cell(column: Column, text: str) -> int | float | str | None:
    """The value of a cell that a person wrote, as `read_records` takes it.

    Spaces around it do not count. None is an empty cell. In a numeric column a text that is no
    number stays a text, so that the check of the record names it as it was written. Whether a whole
    number is whole is for that check too: a person may type `7.3e3`, which training data may not
    hold, because a spreadsheet that writes so has dropped digits.
    """
    text = text.strip()
    if not text:
        return None
    if not column.numeric or not _NUMBER.fullmatch(text):
        return text
    if _DIGITS.fullmatch(text):
        return int(text)
    return float(text)
