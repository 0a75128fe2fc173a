"""How the cells of a table are written: the table `[reading]` of a contract.

Training, validation, `sluice predict`, the page and the service read by it alike.
"""

import codecs
from dataclasses import dataclass

from sluice.served.contract_fields import Table, choice, fail, known, table, text, texts
from sluice.served.days import ISO, PATTERNS

_PLACE = "[reading]"
KEYS = ("delimiter", "encoding", "missing", "decimal", "date")
_DECIMALS = (".", ",")
UTF8 = "utf-8"
_TOO_MANY = 100  # texts that stand for missing


@dataclass(frozen=True)
class Reading:
    """How a table is written.

    `delimiter` is one more character that may separate cells, empty for the usual ones alone.
    `missing` are the texts that stand for an empty cell. `decimal` is what stands before the
    fraction of a number, and `date` is how a day is written, one of `days.PATTERNS`. Blanks around
    a cell never count.
    """

    delimiter: str = ""
    encoding: str = UTF8
    missing: tuple[str, ...] = ()
    decimal: str = "."
    date: str = ISO

    def plain(self, cell: str, *, numeric: bool) -> str:
        """A cell without blanks around it: empty where it is missing, a number with a point.

        A number with a point where the comma is the decimal sign stays no number: it may be one of
        thousands.
        """
        cell = cell.strip()
        if cell in self.missing:
            return ""
        if not numeric or self.decimal == ".":
            return cell
        return f"{cell} (the decimal sign is a comma)" if "." in cell else cell.replace(",", ".")


UTF8_WITH_POINTS = Reading()


def read_reading(source: str, raw: Table) -> Reading:
    """The table `[reading]` of a contract; the usual one where there is none.

    Raises UsageError for what is wrong in it.
    """
    spec = table(source, raw, "reading", needed=False)
    known(source, _PLACE, spec, KEYS)
    delimiter = ""
    if "delimiter" in spec:
        delimiter = _delimiter(source, spec)
    missing = tuple(cell.strip() for cell in _missing(source, spec))
    return Reading(
        delimiter=delimiter,
        encoding=_encoding(source, spec),
        missing=tuple(cell for cell in dict.fromkeys(missing) if cell),
        decimal=choice(source, _PLACE, {"decimal": ".", **spec}, "decimal", _DECIMALS),
        date=choice(source, _PLACE, {"date": ISO, **spec}, "date", tuple(PATTERNS)),
    )


def _delimiter(source: str, spec: Table) -> str:
    value = spec["delimiter"]
    if not isinstance(value, str) or len(value.encode()) != 1 or value in '"\r\n':
        fix = 'Write the one character that separates cells, such as ";" or "\\t".'
        raise fail(source, _PLACE, "delimiter", f"is {value!r}", fix)
    return value


def _encoding(source: str, spec: Table) -> str:
    name = text(source, _PLACE, {"encoding": UTF8, **spec}, "encoding")
    try:
        found = codecs.lookup(name).name
        "".encode(found)  # some that Python knows are no encodings of texts
    except (LookupError, ValueError):
        fix = 'Write one that Python knows, such as "utf-8" or "windows-1252".'
        raise fail(source, _PLACE, "encoding", f"is {name!r}", fix) from None
    return found


def _missing(source: str, spec: Table) -> tuple[str, ...]:
    """The texts that stand for an empty cell; blanks may be one of them, and always are."""
    values = spec.get("missing", [])
    if isinstance(values, list):
        values = [value for value in values if not (isinstance(value, str) and not value.strip())]
    if isinstance(values, list) and len(values) > _TOO_MANY:
        what = f"has {len(values)} entries"
        raise fail(source, _PLACE, "missing", what, f"At most {_TOO_MANY} are read.")
    return texts(source, _PLACE, {"missing": values}, "missing")
