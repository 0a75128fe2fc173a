"""From values to the feature matrix: the one path that training, batch, service and prompt share.

Values come as columns: a dict from column key to an array with one entry for each row, float64 with
NaN where a number or the number of a day is missing, objects (text or None) for all other kinds.
`encode` refuses what the contract does not allow, so that every row that was validated can be
encoded, and no other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sluice.errors import Refused
from sluice.served.contract import LONGEST, Column, Contract
from sluice.served.days import day_of, written
from sluice.served.expressions import IS_MISSING, Expression

Columns = Mapping[str, np.ndarray]
Record = Mapping[str, object]  # a row as a program sends it, by key or published name

SHOWN = 100  # errors of one call that are kept: a wrong unit makes one in every row
# A derived feature with one of these is a flag and no quantity.
_COMPARISONS = ("<", ">", "==", "!=", " in ", " in(", f"{IS_MISSING}(")
_HUGE = 1e300  # beyond every limit; `float` fails on whole numbers that are much longer


@dataclass(frozen=True)
class FieldError:
    """A value that the contract does not allow: row (from 0), column, value, what is allowed."""

    row: int
    field: str
    value: str
    allowed: str


class InvalidFields(Refused):
    """Values that the contract does not allow; `errors` holds the first of them."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        first = errors[0]
        super().__init__(
            f"row {first.row}: {first.field} is {first.value}", f"Allowed: {first.allowed}."
        )
        self.errors = tuple(errors)


def positions(column: Column) -> dict[object, float]:
    """The number that stands for each value of a column of texts: its place among `values`."""
    return {value: float(place) for place, value in enumerate(column.values)}


def place_of(column: Column, places: Mapping[object, float], value: object) -> float:
    """The number that stands for a value of a column of texts; NaN where it is none of the column.
    `places` are those of `positions`. A text that is not listed counts as `other`, where the
    contract has one.
    """
    try:
        found = places.get(value)
    except TypeError:  # a list or an object, which nothing can be looked up by
        return math.nan
    if found is None and column.other and is_text(value):
        return places[column.other]
    return math.nan if found is None else found


def read_place(column: Column, places: Mapping[object, float], value: object) -> float:
    """The same of a value as a program sends it: a category that takes any text reads it as it
    reads a cell of a table, so that blanks around it do not count. What is missing has the place of
    what is filled in.
    """
    if column.other and isinstance(value, str):
        value = column.reading.plain(value, numeric=False) or None
    return place_of(column, places, column.fill if value is None else value)


def read_day(column: Column, value: object) -> float:
    """The number of a day as a program sends it, 2026-11-20; NaN for what is no day that the column
    allows.
    """
    day = day_of(value) if isinstance(value, str) else None
    if day is None or not column.minimum <= day <= column.maximum:  # type: ignore[operator]
        return math.nan
    return float(day)


def is_text(value: object) -> bool:
    """Whether a value is a text that a category of any texts takes: not blank, and not endless."""
    return isinstance(value, str) and bool(value.strip()) and len(value) <= LONGEST


def listed(column: Column, value: object) -> object:
    """A value as it is kept: of a category of any texts one that the contract lists."""
    if not column.other or not isinstance(value, str) or value in column.values:
        return value
    text = column.reading.plain(value, numeric=False)
    return text if text in column.values else (column.other if text else None)


def feature_names(contract: Contract) -> tuple[str, ...]:
    """The columns of the matrix, in order.

    First the features: a category has one column for each of its values, or where the model looks
    its value up one with the place of it; a date has none; the others have one each. Behind a
    column that may stay missing is one that says whether it does. Then the derived features.
    """
    names: list[str] = []
    for column in contract.features:
        if column.kind == "category" and not column.coded:
            names += [f"{column.key}={value}" for value in column.values]
        elif column.kind != "date":
            names.append(column.key)
        if column.kept:
            names.append(f"{column.key} is missing")
    names += [derived.name for derived in contract.derived]
    return tuple(names)


def numeric_features(contract: Contract) -> tuple[bool, ...]:
    """For each column of the matrix, whether it is a quantity.

    The others are a place in an order, a flag, or one of the columns of a category.
    """
    flags: list[bool] = []
    for column in contract.features:
        if column.kind == "category" and not column.coded:
            flags += [False] * len(column.values)
        elif column.kind != "date":
            flags.append(column.numeric)
        if column.kept:
            flags.append(False)
    for derived in contract.derived:
        compares = any(sign in derived.expression.source for sign in _COMPARISONS)
        flags.append(not compares)
    return tuple(flags)


def encode(contract: Contract, columns: Columns) -> np.ndarray:
    """The feature matrix, float32, shape (rows, len(feature_names(contract))).

    Raise InvalidFields.
    """
    return assemble(layout(contract), as_numbers(contract, columns))


def as_numbers(contract: Contract, columns: Columns) -> np.ndarray:
    """The numbers that `assemble` takes, float64, shape (rows, features): missing values filled, a
    place in the list of values for each text.

    Raise InvalidFields.
    """
    numbers, errors = _numbers(contract, columns)
    if errors:
        raise InvalidFields(errors[:SHOWN])
    return np.column_stack([numbers[column.key] for column in contract.features])


@dataclass(frozen=True)
class DerivedFeature:
    """A derived feature and the matrix column that it goes to.

    `kept` are the numbers that it reads which may be missing: with one of them it may be, too.
    """

    target: int
    name: str
    expression: Expression
    kept: tuple[int, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Which number of a row goes to which column of the matrix, worked out once for a contract.

    A row has one number for each feature, in the order of `keys`. The numbers `plain_sources` are
    copied to the matrix columns `plain_targets`. The numbers `category_sources` are places among
    the values of a category, whose matrix columns begin at `category_targets`. Whether the numbers
    `kept_sources` are missing goes to the matrix columns `kept_targets`.
    """

    width: int
    keys: tuple[str, ...]
    plain_sources: np.ndarray
    plain_targets: np.ndarray
    category_sources: tuple[int, ...]
    category_targets: tuple[int, ...]
    derived: tuple[DerivedFeature, ...]
    kept_sources: tuple[int, ...] = ()
    kept_targets: tuple[int, ...] = ()


def layout(contract: Contract) -> Layout:
    """The layout of a contract's feature matrix, in the order of `feature_names`."""
    plain: list[tuple[int, int]] = []
    categories: list[tuple[int, int]] = []
    kept: dict[str, tuple[int, int]] = {}
    width = 0
    for source, column in enumerate(contract.features):
        if column.kind == "category" and not column.coded:
            categories.append((source, width))
            width += len(column.values)
        elif column.kind != "date":
            plain.append((source, width))
            width += 1
        if column.kept:
            kept[column.key] = (source, width)
            width += 1
    derived: list[DerivedFeature] = []
    for feature in contract.derived:
        read = tuple(kept[key][0] for key in feature.expression.keys if key in kept)
        derived.append(DerivedFeature(width, feature.name, feature.expression, read))
        width += 1
    pairs = np.array(plain, dtype=np.intp).reshape(-1, 2)
    return Layout(
        width=width,
        keys=tuple(column.key for column in contract.features),
        plain_sources=pairs[:, 0].copy(),
        plain_targets=pairs[:, 1].copy(),
        category_sources=tuple(source for source, _ in categories),
        category_targets=tuple(target for _, target in categories),
        derived=tuple(derived),
        kept_sources=tuple(source for source, _ in kept.values()),
        kept_targets=tuple(target for _, target in kept.values()),
    )


def assemble(to: Layout, numbers: np.ndarray) -> np.ndarray:
    """The feature matrix, float32, from numbers that the contract allows.

    `numbers` is float64, shape (rows, features), with a place in the list of values for each text.
    NaN is what stays missing. Raise InvalidFields where a derived feature is no finite number, and
    nothing that it reads is missing.
    """
    matrix = _assembled(to, numbers)
    if to.derived:
        _check_derived(to, matrix, numbers)
    return matrix


def mixed(to: Layout, numbers: np.ndarray) -> np.ndarray:
    """The feature matrix of rows that are put together from several, float32.

    Each number is allowed by itself, but nobody has all of them: a derived feature that is no
    finite number there is 0.
    """
    matrix = _assembled(to, numbers)
    made = matrix[:, to.width - len(to.derived) :]
    made[_impossible(to, matrix, numbers)] = 0.0
    return matrix


def _assembled(to: Layout, numbers: np.ndarray) -> np.ndarray:
    """The feature matrix, whatever the derived features are.

    Works column by column: it runs for every request.
    """
    rows = len(numbers)
    matrix = np.zeros((rows, to.width), dtype=np.float32)
    matrix[:, to.plain_targets] = numbers[:, to.plain_sources]
    each = np.arange(rows)
    for source, target in zip(to.category_sources, to.category_targets, strict=True):
        matrix[each, target + numbers[:, source].astype(np.intp)] = 1.0
    for source, target in zip(to.kept_sources, to.kept_targets, strict=True):
        matrix[:, target] = np.isnan(numbers[:, source])
    if to.derived:
        columns = dict(zip(to.keys, numbers.T, strict=True))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for feature in to.derived:
                matrix[:, feature.target] = feature.expression.bare(columns)
    if to.kept_sources:
        matrix[np.isnan(matrix)] = np.nan  # there are many, and equal rows have equal bytes
    return matrix


def _impossible(to: Layout, matrix: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Which derived features are no finite number, though nothing that they read is missing;
    boolean, shape (rows, derived features).
    """
    bad = ~np.isfinite(matrix[:, to.width - len(to.derived) :])
    for place, feature in enumerate(to.derived):
        if feature.kept:
            missing = np.isnan(numbers[:, list(feature.kept)]).any(axis=1)
            bad[:, place] &= ~(missing & np.isnan(matrix[:, feature.target]))
    return bad


def _check_derived(to: Layout, matrix: np.ndarray, numbers: np.ndarray) -> None:
    """Raise InvalidFields, naming the first, where a derived feature is no finite number."""
    bad = _impossible(to, matrix, numbers)
    if bad.any():
        rows, features = np.nonzero(bad)
        row = int(rows[0])
        feature = to.derived[int(features[0])]
        value = str(matrix[row, feature.target])
        raise InvalidFields([FieldError(row, feature.name, value, feature.expression.source)])


def accepted(contract: Contract, columns: Columns) -> np.ndarray:
    """Which rows this contract takes, boolean, shape (rows,); no row where a feature is missing."""
    rows = len(next(iter(columns.values())))
    if any(column.key not in columns for column in contract.features):
        return np.zeros(rows, dtype=bool)
    taken = np.ones(rows, dtype=bool)
    _, errors = _numbers(contract, columns)
    taken[[error.row for error in errors]] = False
    return taken


def _numbers(
    contract: Contract, columns: Columns
) -> tuple[dict[str, np.ndarray], list[FieldError]]:
    """Every feature as float64, missing ones filled, and every value that is not allowed."""
    numbers: dict[str, np.ndarray] = {}
    errors: list[FieldError] = []
    for column in contract.features:
        values = _filled(column, columns[column.key])
        numbers[column.key] = _as_numbers(column, values)
        wrong = np.flatnonzero(~_allowed(column, numbers[column.key]))
        errors += [_error(column, int(row), values[row]) for row in wrong]
    return numbers, errors


def _error(column: Column, row: int, value: object) -> FieldError:
    allowed = column.allowed
    if not isinstance(value, str) and str(value) in column.values:
        # 0 where "0" is meant: without the quotes the sentence would contradict itself.
        allowed = "one of the texts " + ", ".join(f'"{text}"' for text in column.values)
    if column.kind == "date" and isinstance(value, float) and not math.isnan(value):
        value = written(value)
    return FieldError(row, column.name, _shown(value), allowed)


def _filled(column: Column, values: np.ndarray) -> np.ndarray:
    """The values of a column, the missing ones replaced where the contract says by what."""
    if column.missing != "impute":
        return values
    if column.numeric:
        missing = np.isnan(values)
    else:
        missing = np.array([value is None for value in values], dtype=bool)
    if not missing.any():
        return values
    return np.where(missing, np.asarray(column.fill), values)


def _as_numbers(column: Column, values: np.ndarray) -> np.ndarray:
    """The numbers that stand for values; NaN for a text that is none of the column's."""
    if column.numeric:
        # Adding zero turns a negative zero, which JSON can write and a CSV cannot, into zero.
        return values.astype(np.float64) + 0.0
    places = positions(column)
    if column.other:
        return np.array([place_of(column, places, value) for value in values], dtype=np.float64)
    return np.array([places.get(value, math.nan) for value in values], dtype=np.float64)


def _allowed(column: Column, numbers: np.ndarray) -> np.ndarray:
    """Which numbers the column allows, boolean, shape (rows,)."""
    if not column.numeric:
        return ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):
        inside = (numbers >= column.minimum) & (numbers <= column.maximum)
        if column.kind == "integer":
            inside &= numbers == np.floor(numbers)
        return inside | np.isnan(numbers) if column.kept else inside


def _shown(value: object) -> str:
    """A value as a message quotes it, its beginning."""
    if value is None:
        return "missing"
    if isinstance(value, float):
        return "missing" if math.isnan(value) else f"{value:.12g}"
    return repr(value)[:80]


def read_records(contract: Contract, records: Sequence[Record]) -> dict[str, np.ndarray]:
    """Columns from records as a program sends them, by published name or key.

    A number must be a number, a text one of the values; a boolean column takes true and false as
    well. Fields that the model is not fed are refused: what is not needed is not taken. Raise
    InvalidFields with the wrong fields, at most `SHOWN` of them.
    """
    by_name = {column.name: column for column in contract.features}
    by_key = {column.key: column for column in contract.features}
    known = by_name | by_key
    errors: list[FieldError] = []
    rows: list[dict[str, float | str | None]] = []
    for row, record in enumerate(records):
        rows.append(_record(known, row, record, errors))
        if len(errors) >= SHOWN:
            break
    if errors:
        raise InvalidFields(errors[:SHOWN])
    columns: dict[str, np.ndarray] = {}
    for column in contract.features:
        kind = np.float64 if column.numeric else object
        columns[column.key] = np.array([values[column.key] for values in rows], dtype=kind)
    return columns


def _record(
    known: Mapping[str, Column], row: int, record: Record, errors: list[FieldError]
) -> dict[str, float | str | None]:
    """The values of a record by column key; adds to `errors` what is wrong with it."""
    values: dict[str, float | str | None] = {}
    for name, value in record.items():
        if len(errors) >= SHOWN:
            return values
        column = known.get(name)
        if column is None:
            keys = dict.fromkeys(column.key for column in known.values())
            allowed = f"only: {', '.join(keys)}"
            errors.append(FieldError(row, str(name)[:80], _shown(value), allowed))
        elif column.key in values:
            errors.append(FieldError(row, str(name)[:80], _shown(value), "each field once"))
        else:
            values[column.key] = _value(column, row, value, errors)
    for column in known.values():
        if column.key not in values:
            values[column.key] = _value(column, row, None, errors)
    return values


def _value(column: Column, row: int, value: object, errors: list[FieldError]) -> float | str | None:
    """A value as columns hold it; adds to `errors` where it is not allowed."""
    absent = math.nan if column.numeric else None
    if column.other and isinstance(value, str):
        value = column.reading.plain(value, numeric=False) or None  # as in a cell of a table
    if value is None and (column.missing == "impute" or column.kept):
        return absent
    if column.kind == "boolean" and isinstance(value, bool):
        return column.values[value]
    if column.kind == "date":
        day = read_day(column, value)
        if not math.isnan(day):
            return day
    elif column.numeric:
        number = _number(column, value)
        if number is not None:
            return number
    elif isinstance(value, str) and (value in column.values or (column.other and is_text(value))):
        return value if value in column.values else column.other
    errors.append(_error(column, row, value))
    return absent


def _number(column: Column, value: object) -> float | None:
    """A number that the column allows as a float, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _HUGE:
        return None
    number = float(value)
    if column.kind == "integer" and not number.is_integer():
        return None
    inside = column.minimum <= number <= column.maximum  # type: ignore[operator]
    return number if inside else None
