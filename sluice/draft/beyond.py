"""How surely a release is shown to know more than its best single column, which the gate requires.

Tried out as the floors are: rows are drawn for holdouts of the size that the table gives, and the
quick model and the column are held against each other on each as the gate holds them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate.paired import Difference, at_equal_counts, recall_difference, top

SURELY = 0.9  # of the releases of an honest model
_DRAWS = 200
_SEED = 20_260_102


@dataclass(frozen=True)
class Column:
    """The best single column of a table by its published name, and how it scores rows that it has
    not learnt from, shape (rows,).
    """

    name: str
    scores: np.ndarray


@dataclass(frozen=True)
class Beyond:
    """The share of releases that are shown to find more than this column does, and the times as
    many labelled rows with which SURELY of them are; 1 where these are enough, None where the model
    knows no more.
    """

    column: str
    shown: float
    times: float | None


@dataclass(frozen=True)
class Ranked:
    """Labels, and the scores of a model and of a column, each of shape (rows,); `clusters` are
    numbers, equal in rows that belong together, None where none do.
    """

    labels: np.ndarray
    scores: np.ndarray
    column: Column
    clusters: np.ndarray | None = None


def beyond(rows: Ranked, holdout: int, flagged: float, level: float) -> Beyond:
    """What holdouts of so many rows show where this share of them is flagged; each limit is
    one-sided at `level`.
    """
    found = list(_differences(rows, holdout, flagged, level))
    shown = float(np.mean([one.low > 0 for one in found]))
    if shown >= SURELY:
        return Beyond(rows.column.name, shown, 1.0)
    values = np.array([one.value for one in found])
    mean, spread = float(values.mean()), float(values.std())
    if mean <= 0:
        return Beyond(rows.column.name, shown, None)
    # The limit is a quantile below what is measured, which varies by as much.
    reach = float(scipy.stats.norm.isf(level) + scipy.stats.norm.isf(1 - SURELY))
    return Beyond(rows.column.name, shown, max((reach * spread / mean) ** 2, 1.0))


def labels_needed(found: Beyond, rows: int) -> int | None:
    """The labelled rows of a whole table that are needed, where it has so many, to two digits; None
    where more of them do not help.
    """
    if found.times is None:
        return None
    needed = found.times * rows
    unit = 10 ** max(math.floor(math.log10(needed)) - 1, 0)
    return math.ceil(needed / unit) * unit


def _differences(rows: Ranked, holdout: int, flagged: float, level: float) -> Iterator[Difference]:
    """The recall of the model less that of the column, on each holdout that is drawn."""
    chance = np.random.default_rng(_SEED)
    for _ in range(_DRAWS):
        drawn, clusters = draw(chance, len(rows.labels), holdout, rows.clusters)
        hashes = chance.permutation(len(drawn)).astype(np.uint64)
        count = round(flagged * len(drawn))
        labels = rows.labels[drawn]
        mine = top(rows.scores[drawn], hashes, count)
        theirs = top(rows.column.scores[drawn], hashes, count)
        pairs = at_equal_counts(labels, mine, theirs, clusters)
        yield recall_difference(pairs, level)


def draw(
    chance: np.random.Generator, rows: int, count: int, clusters: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The numbers of about so many of the rows, drawn with replacement, and which of these belong
    together. Those that do are drawn together: another table has other groups, and not other rows
    of these.
    """
    if clusters is None:
        return chance.integers(0, rows, count), None
    sizes = np.bincount(clusters)
    order = np.argsort(clusters, kind="stable")
    chosen = chance.integers(0, len(sizes), max(round(count / sizes.mean()), 1))
    many = sizes[chosen]
    first = (np.cumsum(sizes) - sizes)[chosen]
    within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    drawn = order[np.repeat(first, many) + within]
    return drawn, np.repeat(np.arange(len(chosen)), many)
