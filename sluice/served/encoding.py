"""From values to the feature matrix: the one path that training, batch, service and prompt share.

Values come as columns: a dict from column key to an array of one entry a row: float64 with NaN
where a number is missing, objects (texts, or None) otherwise. `encode` refuses what the contract
does not allow, so a row that was validated can always be encoded, and the other way round.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.errors import Refused
from sluice.served.contract import Column, Contract
from sluice.served.expressions import Expression

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FieldError:
    """One value that the contract does not allow: the row (from 0), the column, the value and what
    is allowed.
    """

    row: int
    field: str
    value: str
    allowed: str


class InvalidFields(Refused):
    """One or more values are not allowed by the contract; `errors` holds the first of them."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        first = errors[0]
        super().__init__(
            f"row {first.row}: {first.field} is {first.value}", f"Allowed: {first.allowed}."
        )
        self.errors = tuple(errors)


SHOWN = 100  # errors of one call that are kept; a wrong unit makes one in every row


def feature_names(contract: Contract) -> tuple[str, ...]:
    """The columns of the matrix: one a feature (a category has one a value), then one a derived
    feature.
    """
    names: list[str] = []
    for column in contract.features:
        names += (
            [f"{column.key}={v}" for v in column.values]
            if column.kind == "category"
            else [column.key]
        )
    return (*names, *(derived.name for derived in contract.derived))


def numeric_features(contract: Contract) -> tuple[bool, ...]:
    """For each column of the matrix, whether it is a quantity (else a place in an order, a flag or
    a one of many).
    """
    flags: list[bool] = []
    for column in contract.features:
        flags += [False] * len(column.values) if column.kind == "category" else [column.numeric]
    comparisons = ("<", ">", "==", "!=")
    return (
        *flags,
        *(not any(sign in d.expression.source for sign in comparisons) for d in contract.derived),
    )


def encode(contract: Contract, columns: Columns) -> np.ndarray:
    """The feature matrix, float32, shape (rows, len(feature_names(contract))). Raises
    InvalidFields.
    """
    numbers, errors = _numbers(contract, columns)
    if errors:
        raise InvalidFields(errors[:SHOWN])
    return assemble(
        layout(contract), np.column_stack([numbers[column.key] for column in contract.features])
    )


@dataclass(frozen=True)
class Layout:
    """Where the numbers of a row go in the matrix, worked out once for a contract.

    `plain` pairs a place in the matrix with one among the numbers; `single` are the places of
    categories among the numbers and `first` where their values begin in the matrix; `derived` has
    place, name and expression.
    """

    width: int
    keys: tuple[str, ...]
    plain: tuple[np.ndarray, np.ndarray]
    single: tuple[int, ...]
    first: tuple[int, ...]
    derived: tuple[tuple[int, str, Expression], ...]


def layout(contract: Contract) -> Layout:
    """The layout of a contract's feature matrix, in the order of `feature_names`."""
    plain: list[tuple[int, int]] = []
    single: list[tuple[int, int]] = []
    place = 0
    for number, column in enumerate(contract.features):
        (single if column.kind == "category" else plain).append((place, number))
        place += len(column.values) if column.kind == "category" else 1
    pairs = np.array(plain, dtype=np.intp).reshape(-1, 2)
    first, categories = tuple(start for start, _ in single), tuple(number for _, number in single)
    derived = tuple((place + i, d.name, d.expression) for i, d in enumerate(contract.derived))
    keys = tuple(column.key for column in contract.features)
    return Layout(
        place + len(derived),
        keys,
        (pairs[:, 0].copy(), pairs[:, 1].copy()),
        categories,
        first,
        derived,
    )


def assemble(to: Layout, numbers: np.ndarray) -> np.ndarray:
    """The feature matrix from numbers that the contract allows, float64, shape (rows, features),
    texts as places.
    """
    rows = len(numbers)
    matrix = np.zeros((rows, to.width), dtype=np.float32)
    matrix[:, to.plain[0]] = numbers[:, to.plain[1]]
    each = np.arange(rows)
    for place, number in zip(to.first, to.single, strict=True):
        matrix[each, place + numbers[:, number].astype(np.intp)] = 1.0
    if to.derived:
        columns = dict(zip(to.keys, numbers.T, strict=True))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for place, _, expression in to.derived:
                matrix[:, place] = expression.bare(columns)
        _check_derived(to, matrix)
    return matrix


def _check_derived(to: Layout, matrix: np.ndarray) -> None:
    bad = ~np.isfinite(matrix[:, to.width - len(to.derived) :])
    if bad.any():
        row, which = (int(place[0]) for place in np.nonzero(bad))
        place, name, expression = to.derived[which]
        raise InvalidFields([FieldError(row, name, str(matrix[row, place]), expression.source)])


def accepted(contract: Contract, columns: Columns) -> np.ndarray:
    """Which rows this contract takes, boolean, shape (rows,); none where a column that it needs is
    not there.
    """
    rows = len(next(iter(columns.values())))
    taken = np.ones(rows, dtype=bool)
    if any(column.key not in columns for column in contract.features):
        return np.zeros(rows, dtype=bool)
    _, errors = _numbers(contract, columns)
    taken[[error.row for error in errors]] = False
    return taken


def _numbers(
    contract: Contract, columns: Columns
) -> tuple[dict[str, np.ndarray], list[FieldError]]:
    """Every feature as float64 (a text becomes its place among the values), missing ones filled by
    the contract.
    """
    numbers, errors = {}, []
    for column in contract.features:
        values = _filled(column, columns[column.key])
        # A zero added: a negative zero, which one way of writing knows and another does not,
        # becomes zero.
        places = values.astype(np.float64) + 0.0 if column.numeric else _places(column, values)
        bad = ~_allowed(column, places)
        numbers[column.key] = places
        errors += [
            FieldError(int(r), column.name, _shown(values[r]), column.allowed)
            for r in np.flatnonzero(bad)
        ]
    return numbers, errors


def _filled(column: Column, values: np.ndarray) -> np.ndarray:
    if column.missing != "impute":
        return values
    missing = (
        np.isnan(values)
        if column.numeric
        else np.array([value is None for value in values], dtype=bool)
    )
    fill: Any = column.fill
    return np.where(missing, fill, values) if missing.any() else values


def _places(column: Column, values: np.ndarray) -> np.ndarray:
    place = {value: float(number) for number, value in enumerate(column.values)}
    return np.array([place.get(value, math.nan) for value in values], dtype=np.float64)


def _allowed(column: Column, numbers: np.ndarray) -> np.ndarray:
    if not column.numeric:
        return ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):
        inside = (numbers >= column.minimum) & (numbers <= column.maximum)
        return inside & (numbers == np.floor(numbers)) if column.kind == "integer" else inside


def _shown(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing"
    return f"{value:.12g}" if isinstance(value, float) else repr(value)[:80]


def read_records(contract: Contract, records: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Columns from records as a program sends them (published names or keys). Raises InvalidFields.

    A number must be a number, a text one of the values; a boolean column takes true and false as
    well. Fields that the model is not fed are refused: what is not needed is not taken.
    """
    errors: list[FieldError] = []
    known = {column.name: column for column in contract.features} | {
        c.key: c for c in contract.features
    }
    read = []
    for row, record in enumerate(records):
        read.append(_record(known, row, record, errors))
        if len(errors) >= SHOWN:
            break
    if errors:
        raise InvalidFields(errors[:SHOWN])
    return {
        column.key: np.array(
            [record[column.key] for record in read], dtype=np.float64 if column.numeric else object
        )
        for column in contract.features
    }


def _record(
    known: Mapping[str, Column], row: int, record: Mapping[str, Any], errors: list[FieldError]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in record.items():
        if len(errors) >= SHOWN:
            return found
        column = known.get(name)
        if column is None or column.key in found:
            features = dict.fromkeys(c.key for c in known.values())
            twice = "each field once" if column else "only: " + ", ".join(features)
            errors.append(FieldError(row, str(name)[:80], _shown(value), twice))
            continue
        found[column.key] = _value(column, row, value, errors)
    for column in known.values():
        if column.key not in found:
            found[column.key] = _value(column, row, None, errors)
    return found


def _value(column: Column, row: int, value: object, errors: list[FieldError]) -> float | str | None:
    if value is None and column.missing == "impute":
        return math.nan if column.numeric else None
    if column.kind == "boolean" and isinstance(value, bool):
        return column.values[value]
    if column.numeric and isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.inf
        whole = column.kind != "integer" or number.is_integer()
        if whole and column.minimum <= number <= column.maximum:  # type: ignore[operator]
            return number
    elif not column.numeric and isinstance(value, str) and value in column.values:
        return value
    errors.append(FieldError(row, column.name, _shown(value), column.allowed))
    return math.nan if column.numeric else None
