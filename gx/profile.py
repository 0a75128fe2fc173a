"""What a table looks like, in counts: a histogram a column, and how columns go together.

No value of a row is in it, and no id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from sluice.model.data.table import numbers
from sluice.served.contract import Column, Contract
from sluice.served.days import written
from sluice.served.encoding import place_of, positions

FEW = 10  # rows; a group of fewer is counted, and its outcome is not told
_MOST_VALUES = 200  # that have a bar each
_BARS = 24  # of a histogram, at most
_TOLD_APART = ("id", "group")  # their values name people, and are only counted


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram: its rows, and how many of them are positive.

    `positives` is None where the rows are too few to tell. Of several classes `classes` counts
    each, in the order of the contract, and `positives` is None as well. Of a number those above its
    median are counted as positive.
    """

    label: str
    count: int
    positives: int | None
    classes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ColumnProfile:
    """The allowed values of a column as bars, beside the counts of the others.

    `middle` is the value below which 5 %, 50 % and 95 % of a numeric column lie, in its unit.
    """

    column: Column
    missing: int
    refused: int
    distinct: int
    middle: tuple[float, float, float] | None
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Link:
    """How strongly a column goes with the target.

    The rank correlation, from -1 to 1, of a column that is `ordered`, else Cramér's V, from 0 to 1.
    With several classes nothing is ordered: the correlation ratio of the ranks, from 0 to 1. With a
    number it stands in the place of Cramér's V.
    """

    name: str
    value: float
    ordered: bool


@dataclass(frozen=True)
class Profile:
    """The table as a whole.

    `links` are the strongest first. `correlations` are Spearman's between the columns that have an
    order, by published name on both sides, the target last. Of several classes `classes` counts
    each, there are no positives, and the target is in no correlation. Of a number `median` is that
    of its allowed values, NaN without any, and positives are the rows above it.
    """

    rows: int
    positives: int
    columns: tuple[ColumnProfile, ...]
    links: tuple[Link, ...]
    correlations: pd.DataFrame
    classes: tuple[int, ...] = ()
    median: float | None = None


def profile(contract: Contract, frame: pd.DataFrame) -> Profile:
    """Count a frame of texts, as `sluice.model.data.table.read_table` gives it.

    The frame need not be valid: what the contract does not allow is counted as refused.
    """
    read = [column for column in contract.columns if column.role != "ignored"]
    present = [column for column in read if column.name in frame.columns]
    codes: dict[str, np.ndarray] = {}
    for column in present:
        if column.role not in _TOLD_APART:
            codes[column.name] = _codes(column, frame[column.name])
    target = contract.role("target")[0]
    median = _median(codes[target.name]) if contract.target.quantity else None
    told = _told(contract, target, codes[target.name], median)
    columns: list[ColumnProfile] = []
    for column in present:
        texts = frame[column.name]
        if column.role in _TOLD_APART:
            columns.append(_unseen(column, texts))
        else:
            columns.append(_column(column, texts, codes[column.name], told))
    counts = told.sum(axis=0)
    if contract.target.several:
        correlations = _correlations(present, codes, target, None)
        links = _links_of_classes(present, codes, told)
        classes = tuple(map(int, counts))
        return Profile(len(frame), 0, tuple(columns), links, correlations, classes)
    if median is not None:
        correlations = _correlations(present, codes, target, codes[target.name])
        links = _links_of_number(present, codes, codes[target.name], correlations[target.name])
        above, seen = int(counts[0]), tuple(columns)
        return Profile(len(frame), above, seen, links, correlations, median=median)
    correlations = _correlations(present, codes, target, told[:, 0])
    links = _links(present, codes, told[:, 0], correlations[target.name])
    return Profile(len(frame), int(counts[0]), tuple(columns), links, correlations)


def _median(values: np.ndarray) -> float:
    """The median of what is no NaN, shape (rows,); NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _told(
    contract: Contract, target: Column, codes: np.ndarray, median: float | None
) -> np.ndarray:
    """What is told of each row: whether it is positive, shape (rows, 1), or of several classes
    whether it is of each, shape (rows, classes). A row whose outcome is not allowed is neither. Of
    a number it is whether it lies above the median.
    """
    if median is not None:
        return (codes > median)[:, None]
    outcomes = contract.target.classes or (contract.target.positive,)
    return np.column_stack([codes == target.values.index(outcome) for outcome in outcomes])


def _correlations(
    present: Sequence[Column],
    codes: Mapping[str, np.ndarray],
    target: Column,
    outcome: np.ndarray | None,
) -> pd.DataFrame:
    """Spearman's rank correlations of the ordered columns and the outcome; 0 for a constant. Of
    several classes there is none that has an order.
    """
    values: dict[str, np.ndarray] = {}
    for column in present:
        if column.kind != "category" and column.role not in (*_TOLD_APART, "target"):
            values[column.name] = codes[column.name]
    if outcome is not None:
        values[target.name] = outcome.astype(np.float64)
    return pd.DataFrame(values).rank().corr().fillna(0.0)


def _codes(column: Column, texts: "pd.Series[str]") -> np.ndarray:
    """Every allowed value as a number, float64, shape (rows,); NaN for the others.

    A text has its place among the values of the column.
    """
    if column.numeric:
        values = numbers(column, texts)
        return np.where((values >= column.minimum) & (values <= column.maximum), values, np.nan)
    places = positions(column)
    if column.other:
        different = {text: place_of(column, places, text) for text in texts.dropna().unique()}
        return texts.astype(object).map(different).to_numpy(dtype=np.float64)
    return texts.astype(object).map(places).to_numpy(dtype=np.float64)


def _unseen(column: Column, texts: "pd.Series[str]") -> ColumnProfile:
    """The profile of a column whose values are not looked at: an id."""
    return ColumnProfile(column, int(texts.isna().sum()), 0, int(texts.nunique()), None, ())


def _column(
    column: Column, texts: "pd.Series[str]", codes: np.ndarray, told: np.ndarray
) -> ColumnProfile:
    """The profile of a column; `codes`, of shape (rows,), and `told` are those of its rows."""
    good = ~np.isnan(codes)
    missing = int(texts.isna().sum())
    middle: tuple[float, float, float] | None = None
    bars: tuple[Bar, ...] = ()
    if not column.numeric:
        bars = _by_value(column, codes[good], told[good])
    elif good.any():
        middle = _middle(column, codes[good])
        bars = _by_range(column, codes[good], told[good])
    return ColumnProfile(
        column=column,
        missing=missing,
        refused=len(codes) - missing - int(good.sum()),
        distinct=int(texts.nunique()),
        middle=middle,
        bars=bars,
    )


def _middle(column: Column, values: np.ndarray) -> tuple[float, float, float]:
    """The quantiles at 5 %, 50 % and 95 %; of whole numbers values that are there."""
    method: Literal["nearest", "linear"] = (
        "nearest" if column.kind in ("integer", "date") else "linear"
    )
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95), method=method)
    return float(low), float(median), float(high)


def _by_value(column: Column, codes: np.ndarray, told: np.ndarray) -> tuple[Bar, ...]:
    """A bar for each value of a column of texts, in the order of the contract."""
    places = codes.astype(np.int64)
    counts = np.bincount(places, minlength=len(column.values))
    outcomes = _outcomes(places, told, len(column.values))
    if len(column.values) > _MOST_VALUES:
        return _frequent(column.values, counts, outcomes)
    return _bars(column.values, counts, outcomes)


def _outcomes(places: np.ndarray, told: np.ndarray, size: int) -> np.ndarray:
    """How many rows of each place became what is told, shape (size, what is told)."""
    counted = [np.bincount(places, of, minlength=size) for of in told.T]
    return np.column_stack(counted)


def _frequent(values: Sequence[str], counts: np.ndarray, outcomes: np.ndarray) -> tuple[Bar, ...]:
    """A bar for each of the most frequent values, and one for all others together."""
    order = np.argsort(-counts, kind="stable")
    shown, rest = order[:_BARS], order[_BARS:]
    labels = [*(values[place] for place in shown), f"{len(rest):,} other values"]
    return _bars(
        labels,
        np.append(counts[shown], counts[rest].sum()),
        np.vstack([outcomes[shown], outcomes[rest].sum(axis=0)]),
    )


def _by_range(column: Column, values: np.ndarray, told: np.ndarray) -> tuple[Bar, ...]:
    """Bars of equal width over the values of a numeric column, empty ones among them."""
    whole = column.kind in ("integer", "date")
    step = _step(float(values.max() - values.min()), whole=whole)
    first = np.floor(values.min() / step)
    places = (np.floor(values / step) - first).astype(np.int64)
    starts = (first + np.arange(places.max() + 1)) * step
    last = step - 1 if whole else step  # the distance from the start of a bar to its last value
    labels: list[str] = []
    for start in starts:
        if column.kind == "date":
            labels.append(_days(start, start + last))
        elif last == 0:
            labels.append(f"{start:,.6g}")
        else:
            labels.append(f"{start:,.6g} to {start + last:,.6g}")
    return _bars(labels, np.bincount(places), _outcomes(places, told, len(labels)))


def _days(first: float, last: float) -> str:
    """The label of the days from a first one to a last one."""
    return written(first) if first == last else f"{written(first)} to {written(last)}"


def _step(span: float, *, whole: bool) -> float:
    """A round width (1, 2 or 5 times a power of ten) that gives at most two dozen bars."""
    narrowest = 1.0 if whole else 1e-9
    rough = max(span / (_BARS - 1), narrowest)
    power = float(10.0 ** np.floor(np.log10(rough)))
    for factor in (1, 2, 5):
        if power * factor >= rough * (1 - 1e-9):
            return power * factor
    return power * 10


def _bars(labels: Sequence[str], counts: np.ndarray, outcomes: np.ndarray) -> tuple[Bar, ...]:
    """A bar for each label; `counts` has the shape (labels,), `outcomes` (labels, what is told)."""
    bars: list[Bar] = []
    for label, count, of_these in zip(labels, counts, outcomes, strict=True):
        shown = tuple(map(int, of_these)) if count >= FEW else None
        if outcomes.shape[1] > 1:
            bars.append(Bar(label, int(count), None, shown))
        else:
            bars.append(Bar(label, int(count), shown[0] if shown else None))
    return tuple(bars)


def _links(
    present: Sequence[Column],
    codes: Mapping[str, np.ndarray],
    positive: np.ndarray,
    ordered: "pd.Series[float]",
) -> tuple[Link, ...]:
    """How strongly each column goes with the outcome, the strongest first.

    `ordered` has the rank correlations with the outcome by name, of the columns with an order.
    """
    links: list[Link] = []
    for column in present:
        if column.role not in ("feature", "protected"):
            continue
        if column.kind == "category":
            value = _cramer(codes[column.name], positive, len(column.values))
            links.append(Link(column.name, value, ordered=False))
        else:
            links.append(Link(column.name, float(ordered[column.name]), ordered=True))
    return tuple(sorted(links, key=lambda link: -abs(link.value)))


def _links_of_classes(
    present: Sequence[Column], codes: Mapping[str, np.ndarray], told: np.ndarray
) -> tuple[Link, ...]:
    """How strongly each column goes with the class, the strongest first; none has a direction."""
    classes = told.shape[1]
    known = told.any(axis=1)
    places = told.argmax(axis=1)[known]
    links: list[Link] = []
    for column in present:
        if column.role not in ("feature", "protected"):
            continue
        own = codes[column.name][known]
        if column.kind == "category":
            value = _cramer(own, places, len(column.values), classes)
        else:
            value = _ratio(own, places)
        links.append(Link(column.name, value, ordered=False))
    return tuple(sorted(links, key=lambda link: -link.value))


def _links_of_number(
    present: Sequence[Column],
    codes: Mapping[str, np.ndarray],
    outcome: np.ndarray,
    ordered: "pd.Series[float]",
) -> tuple[Link, ...]:
    """How strongly each column goes with a number, the strongest first; `ordered` as in `_links`.

    Of a column without an order it is how far the ranks of the number lie apart between its values.
    """
    links: list[Link] = []
    for column in present:
        if column.role not in ("feature", "protected"):
            continue
        own = codes[column.name]
        if column.kind == "category":
            known = ~np.isnan(own)
            value = _ratio(outcome[known], own[known].astype(np.int64))
            links.append(Link(column.name, value, ordered=False))
        else:
            links.append(Link(column.name, float(ordered[column.name]), ordered=True))
    return tuple(sorted(links, key=lambda link: -abs(link.value)))


def _ratio(codes: np.ndarray, places: np.ndarray) -> float:
    """The correlation ratio between the ranks of a column and the class, each (rows,): the root of
    the share of their spread that lies between the classes, as the test of Kruskal and Wallis has
    it.
    """
    good = ~np.isnan(codes)
    if not good.any():
        return 0.0
    ranks = pd.Series(codes[good]).rank()
    whole = float(((ranks - ranks.mean()) ** 2).sum())
    if not whole:
        return 0.0
    of_class = ranks.groupby(places[good])
    between = float((of_class.size() * (of_class.mean() - ranks.mean()) ** 2).sum())
    return float(np.sqrt(between / whole))


def _cramer(codes: np.ndarray, outcomes: np.ndarray, size: int, classes: int = 2) -> float:
    """Cramér's V between a column of `size` values and the outcome; `codes`, `outcomes` (rows,).

    0 where they go together in no way, 1 for a column that tells the outcome. H. Cramér,
    Mathematical Methods of Statistics (1946), chapter 21; with two outcomes it is
    sqrt(chi2 / rows).
    """
    good = ~np.isnan(codes)
    # Value and outcome in one number, so that one count does for both: shape (size, classes).
    pairs = codes[good].astype(np.int64) * classes + outcomes[good]
    cells = np.bincount(pairs, minlength=classes * size).reshape(size, classes)
    total = int(cells.sum())
    expected = cells.sum(axis=1, keepdims=True) * cells.sum(axis=0, keepdims=True) / max(total, 1)
    known = expected > 0
    chi2 = float((((cells - expected) ** 2)[known] / expected[known]).sum())
    most = max(min(size, classes) - 1, 1)
    return float(np.sqrt(chi2 / total / most)) if total else 0.0
