"""What a table looks like, in counts: a histogram per column, and how columns go together. No value
of a row, no id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sluice.model.table import numbers
from sluice.served.contract import Column, Contract
from sluice.served.encoding import positions

FEW = 10  # rows; a group of fewer is counted, and its outcome is not told
_BARS = 24


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram: rows, and how many of them are positive (None where there are too few
    to tell).
    """

    label: str
    count: int
    positives: int | None


@dataclass(frozen=True)
class ColumnProfile:
    """The allowed values of a column as bars, beside the counts of the others; `middle` is (5 %,
    median, 95 %).
    """

    column: Column
    missing: int
    refused: int
    distinct: int
    middle: tuple[float, float, float] | None
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Link:
    """How strongly a column goes with the target: rank correlation (-1 to 1), Cramér's V (0 to 1)
    without order.
    """

    name: str
    value: float
    ordered: bool


@dataclass(frozen=True)
class Profile:
    """The table as a whole: `correlations` are Spearman's between the columns that have an order,
    by published name.
    """

    rows: int
    positives: int
    columns: tuple[ColumnProfile, ...]
    links: tuple[Link, ...]
    correlations: pd.DataFrame


def profile(contract: Contract, frame: pd.DataFrame) -> Profile:
    """Count a frame of texts, as `sluice.model.table.read_table` gives it; the frame need not be
    valid.
    """
    kept = [
        column
        for column in contract.columns
        if column.role != "ignored" and column.name in frame.columns
    ]
    codes = {
        column.name: _codes(column, frame[column.name]) for column in kept if column.role != "id"
    }
    target = contract.role("target")[0]
    positive = codes[target.name] == target.values.index(contract.target.positive)
    columns = tuple(
        _column(column, frame[column.name], codes.get(column.name), positive) for column in kept
    )
    ordered = [c for c in kept if c.kind != "category" and c.role not in ("id", "target")]
    values = pd.DataFrame(
        {c.name: codes[c.name] for c in ordered} | {target.name: positive.astype(np.float64)}
    )
    correlations = values.rank().corr().fillna(0.0)
    links = _links(kept, codes, positive, correlations[target.name])
    return Profile(len(frame), int(positive.sum()), columns, links, correlations)


def _codes(column: Column, texts: "pd.Series[Any]") -> np.ndarray:
    """Every allowed value as a number (a text as its place in the order), NaN for the others."""
    if column.numeric:
        found = numbers(column, texts)
        return np.where((found >= column.minimum) & (found <= column.maximum), found, np.nan)
    return texts.astype(object).map(positions(column)).to_numpy(dtype=np.float64)


def _column(
    column: Column, texts: "pd.Series[Any]", codes: np.ndarray | None, positive: np.ndarray
) -> ColumnProfile:
    missing, distinct = int(texts.isna().sum()), int(texts.nunique())
    if codes is None:
        return ColumnProfile(column, missing, 0, distinct, None, ())
    good = ~np.isnan(codes)
    refused = len(codes) - missing - int(good.sum())
    if not column.numeric:
        return ColumnProfile(
            column, missing, refused, distinct, None, _by_value(column, codes, good, positive)
        )
    if not good.any():
        return ColumnProfile(column, missing, refused, distinct, None, ())
    method: Any = "nearest" if column.kind == "integer" else "linear"
    low, median, high = (
        float(part) for part in np.quantile(codes[good], (0.05, 0.5, 0.95), method=method)
    )
    bars = _by_range(column, codes[good], positive[good])
    return ColumnProfile(column, missing, refused, distinct, (low, median, high), bars)


def _by_value(
    column: Column, codes: np.ndarray, good: np.ndarray, positive: np.ndarray
) -> tuple[Bar, ...]:
    places, size = codes[good].astype(np.int64), len(column.values)
    return _bars(
        column.values,
        np.bincount(places, minlength=size),
        np.bincount(places, positive[good], minlength=size),
    )


def _by_range(column: Column, values: np.ndarray, positive: np.ndarray) -> tuple[Bar, ...]:
    step = _step(float(values.max() - values.min()), whole=column.kind == "integer")
    first = np.floor(values.min() / step)
    places = (np.floor(values / step) - first).astype(np.int64)
    starts = (first + np.arange(places.max() + 1)) * step
    last = step - 1 if column.kind == "integer" else step
    labels = [
        f"{start:,.6g}" if last == 0 else f"{start:,.6g} to {start + last:,.6g}" for start in starts
    ]
    return _bars(labels, np.bincount(places), np.bincount(places, positive))


def _step(span: float, *, whole: bool) -> float:
    """A round width (1, 2 or 5 times a power of ten) that gives at most two dozen bars."""
    rough = max(span / (_BARS - 1), 1.0 if whole else 1e-9)
    power = 10.0 ** np.floor(np.log10(rough))
    return float(
        next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    )


def _bars(labels: Any, counts: np.ndarray, positives: np.ndarray) -> tuple[Bar, ...]:
    return tuple(
        Bar(label, int(count), int(found) if count >= FEW else None)
        for label, count, found in zip(labels, counts, positives, strict=True)
    )


def _links(
    kept: list[Column],
    codes: Mapping[str, np.ndarray],
    positive: np.ndarray,
    ordered: "pd.Series[float]",
) -> tuple[Link, ...]:
    links = [
        Link(column.name, float(ordered[column.name]), ordered=True)
        if column.kind != "category"
        else Link(
            column.name, _cramer(codes[column.name], positive, len(column.values)), ordered=False
        )
        for column in kept
        if column.role in ("feature", "protected")
    ]
    return tuple(sorted(links, key=lambda link: -abs(link.value)))


def _cramer(codes: np.ndarray, positive: np.ndarray, size: int) -> float:
    """Cramér's V between the values of a column and the outcome: 0 for none, 1 for one that tells
    it.
    """
    good = ~np.isnan(codes)
    cells = np.bincount(
        codes[good].astype(np.int64) * 2 + positive[good], minlength=2 * size
    ).reshape(size, 2)
    total = int(cells.sum())
    expected = cells.sum(axis=1, keepdims=True) * cells.sum(axis=0, keepdims=True) / max(total, 1)
    known = expected > 0
    chi2 = float((((cells - expected) ** 2)[known] / expected[known]).sum())
    return float(np.sqrt(chi2 / total)) if total else 0.0
