"""What the training rows looked like: a histogram a feature, counts only, kept with the model it
belongs to.

    {"age": {"kind": "number", "whole": true, "edges": [17.5, 22.5, ...],
             "counts": [1201, ...], "missing": 0},
     "job_level": {"kind": "text", "values": {"Entry": 17000, ...}, "missing": 0}}

No cell holds fewer than five rows and no edge is the value of one person, so the file may travel
with the model.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns

Reference = dict[str, dict[str, Any]]

OTHER = "(other)"
_BINS = 20
_FEWEST = 5  # rows a cell must hold; below it could point at a person


def histogram(contract: Contract, columns: Columns) -> Reference:
    """One histogram per feature column, JSON-able; at most 20 bins for a number, one count per
    value for a text.
    """
    return {
        column.key: (
            _numbers(column, columns[column.key]) if column.numeric else _texts(columns[column.key])
        )
        for column in contract.features
    }


def rows_from(reference: Mapping[str, Mapping[str, Any]], rows: int) -> dict[str, np.ndarray]:
    """Rows whose columns follow these histograms one by one, always the same ones; how columns go
    together is lost.

    A number is spread evenly over its bin. Numbers come as float64 with NaN where missing, texts as
    objects.
    """
    made = {}
    for place, (key, cell) in enumerate(sorted(reference.items())):
        values = _spread(cell, rows) if cell["kind"] == "number" else _repeated(cell, rows)
        made[key] = values[np.random.default_rng([rows, place]).permutation(rows)]
    return made


def _numbers(column: Column, values: np.ndarray) -> dict[str, Any]:
    present = _within(values[np.isfinite(values)])
    whole = column.kind == "integer"
    edges = _edges(present, whole) if len(present) else []
    counts = np.histogram(present, edges)[0].tolist() if edges else []
    edges, counts = _merged(edges, counts)
    missing = int(np.isnan(values).sum())
    return {"kind": "number", "whole": whole, "edges": edges, "counts": counts, "missing": missing}


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
    unit = 10.0 ** math.floor(math.log10((high - low) / _BINS)) if high > low else 1.0
    unit, half = (max(unit, 1.0), 0.5) if whole else (unit, 0.0)
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


def _texts(values: np.ndarray) -> dict[str, Any]:
    counts = Counter(value for value in values.tolist() if value is not None)
    kept = {value: counts[value] for value in sorted(counts) if counts[value] >= _FEWEST}
    pooled = sum(counts.values()) - sum(kept.values())
    if pooled >= _FEWEST:
        kept[OTHER] = pooled
    return {"kind": "text", "values": kept, "missing": len(values) - sum(counts.values())}


def _spread(cell: Mapping[str, Any], rows: int) -> np.ndarray:
    shares = _shared([*cell["counts"], cell.get("missing", 0)], rows)
    parts = []
    for low, high, count in zip(cell["edges"][:-1], cell["edges"][1:], shares[:-1], strict=True):
        inside = low + (high - low) * (np.arange(count) + 0.5) / max(count, 1)
        parts.append(np.floor(inside + 0.5) if cell.get("whole") else inside)
    return np.concatenate([*parts, np.full(shares[-1], np.nan)])


def _repeated(cell: Mapping[str, Any], rows: int) -> np.ndarray:
    values: list[str | None] = [*cell["values"], None]
    shares = _shared([*cell["values"].values(), cell.get("missing", 0)], rows)
    return np.repeat(np.array(values, dtype=object), shares)


def _shared(counts: list[int], rows: int) -> list[int]:
    """`rows` shared out in proportion to `counts`, to the row (largest remainder). All zero: all in
    the last.
    """
    total = sum(counts)
    if not total:
        return [0] * (len(counts) - 1) + [rows]
    exact = [count * rows / total for count in counts]
    shares = [math.floor(value) for value in exact]
    first = sorted(range(len(exact)), key=lambda place: shares[place] - exact[place])[
        : rows - sum(shares)
    ]
    return [share + (place in first) for place, share in enumerate(shares)]
