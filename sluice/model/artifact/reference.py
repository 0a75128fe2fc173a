"""What the training rows looked like: a histogram of each feature, kept with the model in
reference.json.

    {"age": {"kind": "number", "whole": true, "edges": [17.5, 22.5, ...],
             "counts": [1201, ...], "missing": 0},
     "job_level": {"kind": "text", "values": {"Entry": 17000, ...}, "missing": 0}}

Counts only: no cell holds fewer than five rows and no edge is the value of one person, so the file
may travel with the model.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Struct

from sluice.model.json_file import Unreadable
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns

OTHER = "(other)"
_BINS = 20
_FEWEST = 5  # rows a cell must hold; below it could point at a person


class Numbers(Struct, frozen=True, tag_field="kind", tag="number"):
    """The histogram of a column of numbers; there is one edge more than there are counts.

    `whole` says that all numbers are whole. Edges and counts are empty where there are too few
    values.
    """

    whole: bool = False
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    missing: int = 0

    @property
    def counted(self) -> bool:
        """Whether a value was counted."""
        return bool(self.counts)


class Texts(Struct, frozen=True, tag_field="kind", tag="text"):
    """How often each text occurs; rare ones are pooled under `OTHER`."""

    values: dict[str, int] = {}
    missing: int = 0

    @property
    def counted(self) -> bool:
        """Whether a value was counted."""
        return bool(self.values)


# The histograms of the features, by key.
Reference = dict[str, Numbers | Texts]


def read_reference(content: bytes) -> Reference:
    """The histograms in a reference.json. Raises Unreadable for what does not follow the schema."""
    try:
        return msgspec.convert(json.loads(content), Reference)
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            f"reference.json does not follow its schema: {error}",
            "Build the model artifact anew.",
        ) from None


def histogram(contract: Contract, columns: Columns) -> Reference:
    """The histogram of each feature: at most 20 bins for numbers, a count for each text."""
    reference: Reference = {}
    for column in contract.features:
        values = columns[column.key]
        if column.numeric:
            reference[column.key] = _numbers(column, values)
        else:
            reference[column.key] = _texts(values)
    return reference


def rows_from(reference: Mapping[str, Numbers | Texts], rows: int) -> dict[str, np.ndarray]:
    """Rows whose columns follow these histograms one by one, always the same ones.

    How columns go together is lost. A number is spread evenly over its bin. Numbers come as float64
    with NaN where missing, texts as objects; every array has the shape (rows,).
    """
    columns = {}
    for place, (key, cell) in enumerate(sorted(reference.items())):
        values = _spread(cell, rows) if isinstance(cell, Numbers) else _repeated(cell, rows)
        order = np.random.default_rng([rows, place]).permutation(rows)
        columns[key] = values[order]
    return columns


def _numbers(column: Column, values: np.ndarray) -> Numbers:
    present = _within(values[np.isfinite(values)])
    whole = column.kind in ("integer", "date")
    edges: list[float] = []
    counts: list[int] = []
    if len(present):
        edges = _edges(present, whole)
        counts = np.histogram(present, edges)[0].tolist()
    edges, counts = _merged(edges, counts)
    missing = int(np.isnan(values).sum())
    return Numbers(whole=whole, edges=tuple(edges), counts=tuple(counts), missing=missing)


def _within(values: np.ndarray) -> np.ndarray:
    """The same values, the outermost ones moved in to the fifth from either end."""
    if len(values) < 2 * _FEWEST:
        return values[:0]
    ends = np.partition(values, (_FEWEST - 1, len(values) - _FEWEST))
    return np.asarray(np.clip(values, ends[_FEWEST - 1], ends[len(values) - _FEWEST]))


def _edges(values: np.ndarray, whole: bool) -> list[float]:
    """Quantiles rounded to one digit below the width of a bin; between two whole numbers where they
    are whole.
    """
    low, high = float(values.min()), float(values.max())
    unit, half = 1.0, 0.0
    if high > low:
        unit = 10.0 ** math.floor(math.log10((high - low) / _BINS))
    if whole:
        unit, half = max(unit, 1.0), 0.5
    inner = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])
    steps = {
        math.floor(low / unit),
        math.floor(high / unit) + 1,
        *(round(edge / unit) for edge in inner),
    }
    return sorted(round(step * unit - half, 10) for step in steps)


def _merged(edges: list[float], counts: list[int]) -> tuple[list[float], list[int]]:
    """The same histogram with bins of too few rows joined to a neighbour."""
    kept_edges, kept_counts = edges[:1], []
    waiting = 0
    for edge, count in zip(edges[1:], counts, strict=True):
        waiting += count
        if waiting >= _FEWEST:
            kept_edges.append(edge)
            kept_counts.append(waiting)
            waiting = 0
    if waiting and kept_counts:
        kept_edges[-1] = edges[-1]
        kept_counts[-1] += waiting
    return (kept_edges, kept_counts) if kept_counts else ([], [])


def _texts(values: np.ndarray) -> Texts:
    counts = Counter(value for value in values.tolist() if value is not None)
    kept = {value: counts[value] for value in sorted(counts) if counts[value] >= _FEWEST}
    pooled = counts.total() - sum(kept.values())
    if pooled >= _FEWEST:
        kept[OTHER] = pooled
    return Texts(values=kept, missing=len(values) - counts.total())


def _spread(cell: Numbers, rows: int) -> np.ndarray:
    """Numbers at equal distances in each bin, then the missing ones."""
    shares = _shared([*cell.counts, cell.missing], rows)
    parts = []
    for low, high, count in zip(cell.edges[:-1], cell.edges[1:], shares[:-1], strict=True):
        inside = low + (high - low) * (np.arange(count) + 0.5) / max(count, 1)
        if cell.whole:
            inside = np.floor(inside + 0.5)
        parts.append(inside)
    return np.concatenate([*parts, np.full(shares[-1], np.nan)])


def _repeated(cell: Texts, rows: int) -> np.ndarray:
    """Each text as often as its share, then the missing ones."""
    texts: list[str | None] = [*cell.values, None]
    shares = _shared([*cell.values.values(), cell.missing], rows)
    return np.repeat(np.array(texts, dtype=object), shares)


def _shared(counts: Sequence[int], rows: int) -> list[int]:
    """`rows` shared out in proportion to `counts`, to the row (largest remainder).

    Where all counts are zero, the last one gets all rows.
    """
    total = sum(counts)
    if not total:
        return [0] * (len(counts) - 1) + [rows]
    exact = [count * rows / total for count in counts]
    shares = [math.floor(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: shares[place] - exact[place])
    for place in by_remainder[: rows - sum(shares)]:
        shares[place] += 1
    return shares
