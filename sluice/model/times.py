"""When each row was: the column that the contract names as `as_of`."""

import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

TIME = "as of"  # among the columns of a table; no key of a contract has a blank


def times_of(cells: "pd.Categorical[Any]") -> np.ndarray:
    """Texts as datetime64 in microseconds, shape (rows,); NaT where one is missing or no time.

    A day is its first moment, a time with a zone is taken in UTC.
    """
    known = [_moment(str(text)) for text in cells.categories]
    # Missing cells have the code -1, which is the last of these.
    return np.array([*known, None], dtype="datetime64[us]")[cells.codes]


def _moment(text: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
