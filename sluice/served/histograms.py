"""What the training rows looked like: a histogram of each column, read from `reference.json`.

Counts only: they say what is usual and what no training row had, and point at nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True)
class Histogram:
    """The training rows of one column, those without a value left out.

    Of a numeric column `counts` holds the rows between each two neighbours of `edges`, ascending,
    in the unit of the column; both are empty where too few rows had a value. Of a column of texts
    `values` holds the rows of each value that enough rows had, and is None for a numeric one.
    `missing` counts the rows without a value.
    """

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    values: Mapping[str, int] | None = None
    missing: int = 0


NO_ROWS = Histogram()


def read_histograms(document: Mapping[str, Mapping[str, object]]) -> dict[str, Histogram]:
    """The histograms of a `reference.json`, by column key."""
    histograms: dict[str, Histogram] = {}
    for key, cell in document.items():
        histograms[key] = Histogram(
            edges=tuple(cast("list[float]", cell.get("edges", ()))),
            counts=tuple(cast("list[int]", cell.get("counts", ()))),
            values=cast("Mapping[str, int] | None", cell.get("values")),
            missing=cast("int", cell.get("missing", 0)),
        )
    return histograms
