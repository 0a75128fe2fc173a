"""From a table to the shares that generated rows are made from; see `sample_file`."""

import math

import numpy as np

from sluice.draft.sample_file import FIVES, SampleColumn, SampleFile, drawn_columns
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns

_FEW = 24  # different numbers that are told one by one
_HEAVY = 0.05  # of the rows with one number, which then is told by itself
_PARTS = 20  # of the rest, about equally many rows each
_DIGITS = 4  # behind the point, at most
_STEPS = 2**30  # between the limits of a column


def marginals(
    contract: Contract, columns: Columns, labels: np.ndarray, known: np.ndarray, rows: int
) -> SampleFile:
    """The shares of the rows `known`, for `rows` generated ones; `columns` are typed, each of shape
    (rows of the table,), and so are `labels`. The other rows are not looked at.
    """
    positive = labels[known] == 1
    counted = {
        column.name: _column(column, columns[column.key][known], positive)
        for column in drawn_columns(contract)
    }
    groups = 0
    if contract.group:
        different = len(np.unique(columns[contract.group.key][known].astype(str)))
        groups = max(round(different / len(known) * rows), 2)
    return SampleFile(
        schema=1,
        rows=rows,
        negative=max(_fives(int((~positive).sum())), 1),
        positive=max(_fives(int(positive.sum())), 1),
        groups=groups,
        columns=counted,
    )


def _fives(count: int) -> int:
    return count // FIVES * FIVES


def _column(column: Column, values: np.ndarray, positive: np.ndarray) -> SampleColumn:
    if not column.numeric:
        return _texts(column, values, positive)
    gone = np.isnan(values)
    missing = _missing(gone, positive)
    here, of_class = values[~gone], positive[~gone]
    digits = _digits(here)
    ranges = _ranges(column, here, digits)
    kept = []
    for low, high in ranges:
        inside = (here >= low - 0.5 * 10.0**-digits) & (here <= high + 0.5 * 10.0**-digits)
        counts = _by_class(inside, of_class)
        if any(counts):
            kept.append((low, high, *counts))
    if not kept and not any(missing):  # no five rows are alike: the middle of what is allowed
        middle = round(float(np.median(here)), digits)
        kept = [(middle, middle, FIVES, FIVES)]
    lows, highs, negative, positives = zip(*kept, strict=True) if kept else ((), (), (), ())
    return SampleColumn(
        low=lows,
        high=highs,
        digits=digits,
        negative=negative,
        positive=positives,
        missing=missing,
    )


def _texts(column: Column, values: np.ndarray, positive: np.ndarray) -> SampleColumn:
    missing = _missing(np.array([value is None for value in values]), positive)
    counted = {value: _by_class(values == value, positive) for value in column.values}
    kept = {value: counts for value, counts in counted.items() if any(counts)}
    if not kept and not any(missing):
        kept = {column.values[0]: (FIVES, FIVES)}
    return SampleColumn(
        values=tuple(kept),
        negative=tuple(negative for negative, _ in kept.values()),
        positive=tuple(positives for _, positives in kept.values()),
        missing=missing,
    )


def _missing(gone: np.ndarray, positive: np.ndarray) -> tuple[int, int]:
    return _by_class(gone, positive)


def _by_class(chosen: np.ndarray, positive: np.ndarray) -> tuple[int, int]:
    """How many of the chosen rows are negative and positive, in fives."""
    return _fives(int((chosen & ~positive).sum())), _fives(int((chosen & positive).sum()))


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
