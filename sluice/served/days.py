"""Dates: how a table, a program and a person write one, and the number that stands for it.

A date is a day of the calendar, without a time and without a time zone. It is counted in days since
1970-01-01, so that training, batch, service, page and prompt have the same number.
"""

import re
from datetime import date

ISO = "YYYY-MM-DD"  # as programs and the page write it
_MIDNIGHT = r"(?:[T ]00:00(?::00(?:\.0{1,9})?)?)?"  # what programs write behind a day by itself
_YEAR, _MONTH, _DAY = r"(?P<y>\d{4})", r"(?P<m>\d{1,2})", r"(?P<d>\d{1,2})"
# How a table may write a date: a closed list, since 01/02/2026 is two days.
PATTERNS = {
    ISO: rf"^(?P<y>\d{{4}})-(?P<m>\d{{2}})-(?P<d>\d{{2}}){_MIDNIGHT}$",
    "YYYY/MM/DD": rf"^{_YEAR}/{_MONTH}/{_DAY}{_MIDNIGHT}$",
    "YYYYMMDD": r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})$",
    "DD.MM.YYYY": rf"^{_DAY}\.{_MONTH}\.{_YEAR}{_MIDNIGHT}$",
    "DD/MM/YYYY": rf"^{_DAY}/{_MONTH}/{_YEAR}{_MIDNIGHT}$",
    "DD-MM-YYYY": rf"^{_DAY}-{_MONTH}-{_YEAR}{_MIDNIGHT}$",
    "MM/DD/YYYY": rf"^{_MONTH}/{_DAY}/{_YEAR}{_MIDNIGHT}$",
}
_OF_FORMAT = {name: re.compile(pattern, re.ASCII) for name, pattern in PATTERNS.items()}
_FIRST = date(1970, 1, 1).toordinal()


def number_of(day: date) -> int:
    """The days from 1970-01-01 to this day; negative before it."""
    return day.toordinal() - _FIRST


def day_of(text: str, form: str = ISO) -> int | None:
    """The number of a day that is written in this form, one of PATTERNS; None for what is no day
    of the calendar, and for a time other than midnight.
    """
    found = _OF_FORMAT[form].fullmatch(text)
    if found is None:
        return None
    try:
        return number_of(date(int(found["y"]), int(found["m"]), int(found["d"])))
    except ValueError:
        return None


def written(number: float) -> str:
    """The day of this number as 2026-11-20; the number where the calendar has no such day."""
    place = number + _FIRST
    if not date.min.toordinal() <= place <= date.max.toordinal():
        return f"{number:.12g}"
    return date.fromordinal(int(place)).isoformat()
