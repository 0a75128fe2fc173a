"""Records as a program sends them, to numbers: the quick way of `read_records`, for many of them.

A number stands for itself, a text for its place among the values. What is not plainly allowed goes
the thorough way, which finds every wrong field and says what is allowed.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns, read_records

Record = Mapping[str, Any]


def read_all(contract: Contract, records: Sequence[Record]) -> np.ndarray:
    """The numbers of many records, float64, shape (rows, features). Raises InvalidFields.

    Column by column, which is several times as quick as record by record.
    """
    names = [
        column.key if column.key in records[0] else column.name for column in contract.features
    ]
    plain = set(map(len, records)) == {len(names)}
    try:
        columns = (
            list(zip(*map(itemgetter(*names), records), strict=True))
            if plain and len(names) > 1
            else []
        )
    except KeyError:
        columns = []
    numbers = np.empty((len(names), len(records)))
    for place, values in enumerate(columns):
        if not _read_column(contract.features[place], values, numbers[place]):
            return thorough(contract, records)
    return numbers.T if columns else thorough(contract, records)


def thorough(contract: Contract, records: Sequence[Record]) -> np.ndarray:
    """The same by way of `read_records`. Raises InvalidFields with every wrong field."""
    return places_of(contract, read_records(contract, records))


def places_of(contract: Contract, columns: Columns) -> np.ndarray:
    """Columns as `read_records` gives them, to numbers; what is missing is filled."""
    parts = []
    for column in contract.features:
        values = columns[column.key]
        if column.numeric:
            fill = np.nan if column.fill is None else float(column.fill)
            parts.append(np.where(np.isnan(values), fill, values) + 0.0)
        else:
            places = _places(column)
            parts.append(
                np.array([places[column.fill if value is None else value] for value in values])
            )
    return np.column_stack(parts)


def _places(column: Column) -> dict[Any, float]:
    return {value: float(place) for place, value in enumerate(column.values)}


def _limits(column: Column) -> tuple[float, float, bool]:
    return float(column.minimum or 0), float(column.maximum or 0), column.kind == "integer"


def _read_column(column: Column, values: tuple[Any, ...], numbers: np.ndarray) -> bool:
    """Write a column's numbers; False where something is not plainly allowed."""
    if not column.numeric:
        try:
            numbers[:] = [*map(_places(column).__getitem__, values)]
        except (KeyError, TypeError):
            return False
        return True
    if not set(map(type, values)) <= {int, float}:
        return False
    try:
        numbers[:] = values
    except OverflowError:
        return False
    numbers += 0.0  # no negative zero
    low, high, whole = _limits(column)
    if whole and not (numbers == np.floor(numbers)).all():
        return False
    return bool(numbers.min() >= low and numbers.max() <= high)
