"""How the cells of a table are written: the table `[reading]` of a contract.

Training, validation, `sluice predict`, the page and the service read by it alike.
"""

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache

from sluice.served.contract_fields import Table, choice, fail, known, table, text, texts
from sluice.served.days import ISO, PATTERNS

_PLACE = "[reading]"
KEYS = ("delimiter", "encoding", "missing", "decimal", "thousands", "signs", "date")
_DECIMALS = (".", ",")
# What stands between thousands, and the characters that look like it.
THOUSANDS = {".": ".", ",": ",", " ": " \u00a0\u202f", "'": "'\u2019"}
UTF8 = "utf-8"
_TOO_MANY = 100  # texts that stand for missing, and signs


@dataclass(frozen=True)
class Reading:
    """How a table is written.

    `delimiter` is one more character that may separate cells, empty for the usual ones alone.
    `missing` are the texts that stand for an empty cell. `decimal` is what stands before the
    fraction of a number, `thousands` what stands between its thousands, one of THOUSANDS, empty for
    nothing; `signs` are texts that stand before or behind numbers and say nothing more, such as
    "€". `date` is how a day is written, one of `days.PATTERNS`. Blanks around a cell never count.
    """

    delimiter: str = ""
    encoding: str = UTF8
    missing: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str = ""
    signs: tuple[str, ...] = ()
    date: str = ISO

    @property
    def as_written(self) -> bool:
        """Whether numbers are read as they are written."""
        return self.decimal == "." and not self.thousands and not self.signs

    def plain(self, cell: str, *, numeric: bool) -> str:
        """A cell without blanks around it: empty where it is missing, a number with a point.

        A number with a point where the comma is the decimal sign stays no number: it may be one of
        thousands.
        """
        cell = cell.strip()
        if cell in self.missing:
            return ""
        if not numeric or self.as_written:
            return cell
        cell = self._joined(self._without_signs(cell))
        if self.decimal == ".":
            return cell
        return f"{cell} (the decimal sign is a comma)" if "." in cell else cell.replace(",", ".")

    def _without_signs(self, cell: str) -> str:
        """A cell without the signs before and behind its number; it may be a minus that stands
        before the first.
        """
        minus = cell[:1] if cell[:1] in ("+", "-") else ""
        number = cell.removeprefix(minus).strip()
        for sign in self.signs:
            number = number.removeprefix(sign).removesuffix(sign).strip()
        return minus + number

    def _joined(self, cell: str) -> str:
        """A number without what stands between its thousands; what is no such number stays."""
        if not self.thousands:
            return cell
        found = grouped(self.thousands, self.decimal).match(cell)
        if found is None:
            return cell
        return re.sub(rf"[{THOUSANDS[self.thousands]}]", "", found[1]) + (found[2] or "")


UTF8_WITH_POINTS = Reading()


@lru_cache
def grouped(thousands: str, decimal: str) -> re.Pattern[str]:
    """A number whose thousands stand apart: what is before its decimal sign, and from that on."""
    between, point = THOUSANDS[thousands], re.escape(decimal)
    return re.compile(rf"^([+-]?[1-9][0-9]{{0,2}}(?:[{between}][0-9]{{3}})+)({point}[0-9]+)?$")


def read_reading(source: str, raw: Table) -> Reading:
    """The table `[reading]` of a contract; the usual one where there is none.

    Raises UsageError for what is wrong in it.
    """
    spec = table(source, raw, "reading", needed=False)
    known(source, _PLACE, spec, KEYS)
    delimiter = ""
    if "delimiter" in spec:
        delimiter = _delimiter(source, spec)
    missing = tuple(cell.strip() for cell in _listed(source, spec, "missing"))
    signs = tuple(sign.strip() for sign in _listed(source, spec, "signs"))
    return Reading(
        delimiter=delimiter,
        encoding=_encoding(source, spec),
        missing=tuple(cell for cell in dict.fromkeys(missing) if cell),
        decimal=choice(source, _PLACE, {"decimal": ".", **spec}, "decimal", _DECIMALS),
        thousands=_thousands(source, spec),
        signs=_signs(source, signs),
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


def _thousands(source: str, spec: Table) -> str:
    """What stands between thousands; empty where nothing is written."""
    if "thousands" not in spec:
        return ""
    found = choice(source, _PLACE, spec, "thousands", tuple(THOUSANDS))
    if found == spec.get("decimal", "."):
        fix = "Write what stands between thousands, or correct decimal."
        raise fail(
            source,
            _PLACE,
            "thousands",
            f"is {found!r}; another sign than the decimal one is required",
            fix,
        )
    return found


def _signs(source: str, signs: tuple[str, ...]) -> tuple[str, ...]:
    """The signs, each once. Raises UsageError for one that is a part of numbers."""
    for sign in signs:
        if re.search(r"[0-9.,+-]", sign):
            fix = 'Write what stands beside a number and is no part of it, such as "€".'
            raise fail(source, _PLACE, "signs", f"has {sign!r}", fix)
    return tuple(dict.fromkeys(sign for sign in signs if sign))


def _listed(source: str, spec: Table, key: str) -> tuple[str, ...]:
    """The texts of a list; blanks may be one of them, and say nothing."""
    values = spec.get(key, [])
    if isinstance(values, list):
        values = [value for value in values if not (isinstance(value, str) and not value.strip())]
    if isinstance(values, list) and len(values) > _TOO_MANY:
        what = f"has {len(values)} entries"
        raise fail(source, _PLACE, key, what, f"At most {_TOO_MANY} are read.")
    return texts(source, _PLACE, {key: values}, key)
