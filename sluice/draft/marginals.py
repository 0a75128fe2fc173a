"""From a table to the shares that generated rows are made from; see `sample_file`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sluice.draft.sample_file import (
    FIVES,
    SampleColumn,
    SampleFile,
    SampleTarget,
    drawn_columns,
)
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns

_FEW = 24  # different numbers that are told one by one
_HEAVY = 0.05  # of the rows with one number, which then is told by itself
_PARTS = 20  # of the rest, about equally many rows each
_TARGET_PARTS = 10  # of a number as target
_DIGITS = 4  # behind the point, at most
_STEPS = 2**30  # between the limits of a column


def marginals(
    contract: Contract, columns: Columns, labels: np.ndarray, known: np.ndarray, rows: int
) -> SampleFile:
    """The shares of the rows `known`, for `rows` generated ones; the other rows are not looked at.

    `columns` are typed, each of shape (rows of the table,), and so are `labels`, the number of what
    each row turned out to be.
    """
    outcomes, target = contract.target.outcomes, None
    labels = labels[known]
    if contract.target.quantity:
        target, labels = _parts(contract, labels)
        outcomes = target.parts
    of_class = labels == np.arange(len(outcomes))[:, None]
    classes_of = outcomes if target or contract.target.several else ()
    counted = {
        column.name: _named(classes_of, _column(column, columns[column.key][known], of_class))
        for column in drawn_columns(contract)
    }
    groups = 0
    if contract.group:
        different = len(np.unique(columns[contract.group.key][known].astype(str)))
        groups = max(round(different / len(known) * rows), 2)
    found = [max(_fives(int(one.sum())), 1) for one in of_class]
    if classes_of:
        classes = dict(zip(outcomes, found, strict=True))
        return SampleFile(
            schema=1, rows=rows, classes=classes, groups=groups, target=target, columns=counted
        )
    negative, positive = found
    return SampleFile(
        schema=1, rows=rows, negative=negative, positive=positive, groups=groups, columns=counted
    )


@dataclass(frozen=True)
class _Counted:
    """A column as `SampleColumn` has it; `rows` are by class, then by value or range."""

    rows: tuple[tuple[int, ...], ...]
    missing: tuple[int, ...]
    values: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    digits: int = 0


def _parts(contract: Contract, labels: np.ndarray) -> tuple[SampleTarget, np.ndarray]:
    """A number in parts of about equally many rows, and the part of each row, shape (rows,)."""
    column = next(column for column in contract.columns if column.role == "target")
    digits = _digits(labels)
    unit, base = 10.0**-digits, float(column.minimum or 0.0)
    inner = np.quantile(labels, np.arange(1, _TARGET_PARTS) / _TARGET_PARTS)
    cuts = np.unique([round(_round(base, float(cut)), digits) for cut in inner])
    lowest = round(_round(base, float(np.sort(labels)[: FIVES + 1][-1])), digits)
    highest = min(
        round(_round(base, float(np.sort(labels)[-FIVES - 1 :][0]), up=True), digits),
        float(column.maximum if column.maximum is not None else math.inf),
    )
    cuts = cuts[(cuts > lowest) & (cuts <= highest)]
    lows = [lowest, *cuts.tolist()]
    highs = [*(round(cut - unit, digits) for cut in cuts.tolist()), highest]
    places = np.searchsorted(cuts, labels, side="right")
    return SampleTarget(low=tuple(lows), high=tuple(highs), digits=digits), places


def _named(classes: tuple[str, ...], found: _Counted) -> SampleColumn:
    """The same with the counts under the names that they have in the file; `classes` are empty
    where there is one positive class.
    """
    negative, positive = ((), ()) if classes else found.rows
    return SampleColumn(
        values=found.values,
        low=found.low,
        high=found.high,
        digits=found.digits,
        negative=negative,
        positive=positive,
        classes=dict(zip(classes, found.rows, strict=True)) if classes else {},
        missing=found.missing,
    )


def _fives(count: int) -> int:
    return count // FIVES * FIVES


def _column(column: Column, values: np.ndarray, of_class: np.ndarray) -> _Counted:
    """`of_class` says which rows are of each class, shape (classes, rows)."""
    if not column.numeric:
        return _texts(column, values, of_class)
    gone = np.isnan(values)
    missing = _by_class(gone, of_class)
    here, classes = values[~gone], of_class[:, ~gone]
    digits = _digits(here)
    kept, left = [], np.ones(len(here), dtype=bool)
    for low, high in _ranges(column, here, digits):
        # A number of many rows stands by itself, and does not count in the range around it.
        inside = (here >= low - 0.5 * 10.0**-digits) & (here <= high + 0.5 * 10.0**-digits) & left
        left &= ~inside
        counts = _by_class(inside, classes)
        if any(counts):
            kept.append((low, high, counts))
    if not kept and not any(missing):  # no five rows are alike: the middle of what is allowed
        middle = round(float(np.median(here)), digits)
        kept = [(middle, middle, (FIVES,) * len(of_class))]
    lows, highs, counted = zip(*kept, strict=True) if kept else ((), (), ())
    rows = _turned(counted, len(of_class))
    return _Counted(rows, missing, low=lows, high=highs, digits=digits)


def _texts(column: Column, values: np.ndarray, of_class: np.ndarray) -> _Counted:
    missing = _by_class(np.array([value is None for value in values]), of_class)
    counted = {value: _by_class(values == value, of_class) for value in column.values}
    kept = {value: counts for value, counts in counted.items() if any(counts)}
    if not kept and not any(missing):
        kept = {column.values[0]: (FIVES,) * len(of_class)}
    return _Counted(_turned(kept.values(), len(of_class)), missing, values=tuple(kept))


def _turned(counted: Iterable[tuple[int, ...]], classes: int) -> tuple[tuple[int, ...], ...]:
    """Counts by class, then by value, from those by value, then by class."""
    return tuple(zip(*counted, strict=True)) or ((),) * classes


def _by_class(chosen: np.ndarray, of_class: np.ndarray) -> tuple[int, ...]:
    """How many of the chosen rows are of each class, in fives."""
    return tuple(_fives(int((chosen & one).sum())) for one in of_class)


def _digits(values: np.ndarray) -> int:
    """How many digits stand behind the point in most of the numbers; below 0 where the range is too
    wide for whole steps.
    """
    if not len(values):
        return 0
    digits = 0
    while digits < _DIGITS and (np.round(values, digits) == values).mean() < 0.95:
        digits += 1
    width = max(float(values.max() - values.min()), 1.0)
    return min(digits, math.floor(math.log10(_STEPS / width)))


def _ranges(column: Column, values: np.ndarray, digits: int) -> list[tuple[float, float]]:
    """Ranges that hold the numbers, lower limit first, both included; limits are round numbers,
    unless a number is that of many rows.
    """
    unit = 10.0**-digits
    different, counts = np.unique(np.round(values, digits), return_counts=True)
    if len(different) <= _FEW:
        return [(float(one), float(one)) for one in different]
    heavy = different[counts >= _HEAVY * len(values)]
    rest = values[~np.isin(np.round(values, digits), heavy)]
    alone = [(float(one), float(one)) for one in heavy]
    base = column.minimum if column.minimum is not None else float(np.floor(values.min()))
    top = column.maximum if column.maximum is not None else math.inf
    cuts = np.unique(
        [_round(base, float(q)) for q in np.quantile(rest, np.arange(_PARTS) / _PARTS)]
    )
    last = min(_round(base, float(rest.max()), up=True), top)
    ends = [*(cuts[1:] - unit), last]
    wide = [(float(low), float(high)) for low, high in zip(cuts, ends, strict=True) if low <= high]
    return alone + [(round(low, digits), round(high, digits)) for low, high in wide]


def _round(base: float, value: float, *, up: bool = False) -> float:
    """The value with two digits of its distance from `base`: nobody's number is a limit."""
    distance = value - base
    if distance <= 0:
        return base
    step = 10.0 ** (math.floor(math.log10(distance)) - 1)
    steps = distance / step
    return base + step * (math.ceil(steps - 1e-9) if up else math.floor(steps + 1e-9))
