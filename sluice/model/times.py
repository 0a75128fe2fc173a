"""When each row was, and since when it was known: `as_of` and `known_at` of the contract."""

import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_TO_THE_LAST_MOMENT = np.timedelta64(1, "D") - np.timedelta64(1, "us")
TIME = "as of"  # among the columns of a table; no key of a contract has a blank


def times_of(cells: "pd.Categorical[Any]") -> np.ndarray:
    """Texts as datetime64 in microseconds, shape (rows,); NaT where one is missing or no time.

    A day is its first moment, a time with a zone is taken in UTC.
    """
    known = [_moment(str(text)) for text in cells.categories]
    # Missing cells have the code -1, which is the last of these.
    return np.array([*known, None], dtype="datetime64[us]")[cells.codes]


def last_moments_of(cells: "pd.Categorical[Any]") -> np.ndarray:
    """As `times_of`, but a day is its last moment: what was known on a day was known as of it."""
    days = np.array([*(_is_day(str(text)) for text in cells.categories), False])[cells.codes]
    return times_of(cells) + np.where(days, _TO_THE_LAST_MOMENT, np.timedelta64(0, "us"))


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _moment(text: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
