"""Has a column begun to come in another unit: months for years, cents for euros?"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from sluice.model.artifact.reference import Numbers, rows_from
from sluice.monitor.distance import distance
from sluice.served.contract import Column

# What numbers are multiplied by when their unit changes, and an example.
FACTORS = (
    (12.0, "months for years"),
    (1 / 12, "years for months"),
    (100.0, "cents for euros, or percent for shares"),
    (0.01, "euros for cents, or shares for percent"),
    (1000.0, "grams for kilograms"),
    (0.001, "thousands for ones"),
    (7.0, "days for weeks"),
    (1 / 7, "weeks for days"),
    (365.25, "days for years"),
    (1 / 365.25, "years for days"),
    (52.18, "weeks for years"),
    (60.0, "seconds for minutes"),
    (1 / 60, "minutes for seconds"),
    (24.0, "hours for days"),
    (1 / 24, "days for hours"),
)
# Factors that a mere drift can have too: only of a column whose unit has one of these words.
NEAR_ONE = (
    (0.621371, "miles for kilometres", ("kilomet", "km")),
    (1.609344, "kilometres for miles", ("mile",)),
    (2.20462, "pounds for kilograms", ("kilogram", "kg")),
    (0.453592, "kilograms for pounds", ("pound",)),
)
_LEAST_VALUES = 100
_FAR, _NEAR = 0.25, 0.1  # PSI: as they are, and in the other unit
_TIMES = 4  # by which the other unit explains them better
_ROWS = 4_000  # of the reference
_PARTS, _FEWEST_PARTS = 10, 3  # that the expected values are cut into
_LEAST_LEFT = 0.02  # of the expected values that the limits of the column let through


class Unit(Struct, frozen=True):
    """Numbers that are `factor` times what they were; `example` says when that is so."""

    factor: float
    example: str


def changed_unit(column: Column, cell: Numbers, values: np.ndarray) -> Unit | None:
    """The unit that the values of a column now have, shape (rows,) without missing ones.

    None where they are near the reference, or no factor brings them near. What the limits of the
    column refuse has not been seen: the expected values are cut in the same way.
    """
    if len(values) < _LEAST_VALUES or not cell.counted:
        return None
    before = rows_from({column.key: cell}, _ROWS)[column.key]
    before = before[~np.isnan(before)]
    as_they_are = _psi(before, values)
    if not _FAR <= as_they_are < np.inf:
        return None
    best, found = np.inf, None
    for factor, example in (*FACTORS, *_near_one(column)):
        for expected in _in_unit(before, factor, cell.whole):
            passed = expected[_allowed(column, expected)]
            if len(passed) < max(_LEAST_LEFT * len(expected), _LEAST_VALUES / 2):
                continue
            psi = _psi(passed, values)
            if psi < best:
                best, found = psi, Unit(factor, example)
    return found if best < _NEAR and best * _TIMES < as_they_are else None


def _near_one(column: Column) -> Iterator[tuple[float, str]]:
    """The factors near 1 that the unit of a column can have."""
    for factor, example, words in NEAR_ONE:
        if any(word in column.unit.lower() for word in words):
            yield factor, example


def _in_unit(values: np.ndarray, factor: float, whole: bool) -> Iterator[np.ndarray]:
    """The values in another unit: multiplied, and, where they are whole, measured anew."""
    yield values * factor
    if whole and factor > 1:
        spread = np.linspace(0, 1, len(values), endpoint=False)
        yield np.floor((values + spread) * factor)
    elif whole:
        yield np.floor(values * factor)
        yield np.round(values * factor)


def _allowed(column: Column, values: np.ndarray) -> np.ndarray:
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    return np.asarray((values >= low) & (values <= high))


def _psi(before: np.ndarray, after: np.ndarray) -> float:
    """The PSI without its noise, over tenths of the values before; infinite where these are too
    few different ones to tell.
    """
    cuts = np.unique(np.quantile(before, np.linspace(0, 1, _PARTS + 1)[1:-1]))
    parts = len(cuts) + 1
    if parts < _FEWEST_PARTS:
        return np.inf
    first = np.bincount(np.searchsorted(cuts, before, side="right"), minlength=parts)
    second = np.bincount(np.searchsorted(cuts, after, side="right"), minlength=parts)
    return distance(first.tolist(), second.tolist(), ordered=True).effect
