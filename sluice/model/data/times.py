"""When each row was, and since when it was known: `as_of` and `known_at` of the contract."""

import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.served.cells import day_in_table
from sluice.served.contract import Column
from sluice.served.days import written

if TYPE_CHECKING:
    import pandas as pd

_TO_THE_LAST_MOMENT = np.timedelta64(1, "D") - np.timedelta64(1, "us")
TIME = "as of"  # among the columns of a table; no key of a contract has a blank


def times_of(cells: "pd.Categorical[Any]", column: Column | None = None) -> np.ndarray:
    """Texts as datetime64 in microseconds, shape (rows,); NaT where one is missing or no time.

    A day is its first moment, a time with a zone is taken in UTC. Days of a `column` of dates are
    written as its contract says.
    """
    known = [_moment(in_iso(column, str(text))) for text in cells.categories]
    # Missing cells have the code -1, which is the last of these.
    return np.array([*known, None], dtype="datetime64[us]")[cells.codes]


def last_moments_of(cells: "pd.Categorical[Any]", column: Column | None = None) -> np.ndarray:
    """As `times_of`, but a day is its last moment: what was known on a day was known as of it."""
    texts = [in_iso(column, str(text)) for text in cells.categories]
    days = np.array([*(_is_day(text) for text in texts), False])[cells.codes]
    return times_of(cells, column) + np.where(days, _TO_THE_LAST_MOMENT, np.timedelta64(0, "us"))


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def in_iso(column: Column | None, text: str) -> str:
    """The text of a day as 2026-11-20, where it is one of a column of dates."""
    if column is None or column.kind != "date":
        return text
    day = day_in_table(column, text)
    return text if day is None else written(day)


def _moment(text: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
